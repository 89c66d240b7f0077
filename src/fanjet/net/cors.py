"""CORS headers of the connection endpoints (02 section 3.6)."""

from collections.abc import Sequence
from typing import Final

from .http1.request import Request
from .origin import OriginPredicate

_CREDENTIALS: Final = (b"Access-Control-Allow-Credentials", b"true")

PREFLIGHT_STATUS: Final = 204
PREFLIGHT_HEADERS: Final = (
    (b"Access-Control-Max-Age", b"300"),
    (b"Access-Control-Allow-Methods", b"POST, OPTIONS"),
)
"""Headers of the response to OPTIONS on POST endpoints, in addition to `cors_headers`."""


def cors_headers(request: Request, origin_allowed: OriginPredicate) -> Sequence[tuple[bytes, bytes]]:
    """Return the CORS headers for every response to this request.

    There are none if its origin is not allowed.
    """
    origin = request.headers.get(b"origin")
    if not origin_allowed(origin):
        return ()
    headers = [_CREDENTIALS, (b"Access-Control-Allow-Origin", origin or b"")]
    wanted = request.headers.get(b"access-control-request-headers")
    if wanted and wanted != b"null":
        headers.append((b"Access-Control-Allow-Headers", wanted))
    return headers
