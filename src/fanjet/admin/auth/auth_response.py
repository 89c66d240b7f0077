"""The result of an authorization as an HTTP status (10 I)."""

from enum import Enum


class AuthResult(Enum):
    """The value is the status of the response."""

    ALLOWED = 200
    UNAUTHENTICATED = 401
    FORBIDDEN = 403
    """Logged in, but without access."""
    UNAVAILABLE = 503
    """The OpenID Connect provider cannot be reached."""
