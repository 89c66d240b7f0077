"""What becomes of a request to the admin endpoints (10 I)."""

from enum import Enum


class Verdict(Enum):
    """The value is the status of the answer."""

    ADMITTED = 200
    UNKNOWN = 401
    FORBIDDEN = 403
    """Somebody is logged in who has no access."""
    UNDECIDED = 503
    """Who might know cannot be asked just now."""
