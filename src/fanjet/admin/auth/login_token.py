"""The signed, stateless token of an admin login.

It is valid on every node with the same secret (10 H.2).

It has the reference's format, so that a login is valid on all nodes of a mixed cluster: the base64 of
`<Unix seconds>|<value>|<HMAC-SHA256 of name, seconds and value>`.
"""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from hmac import compare_digest, digest
from typing import Final

VALID_SECONDS: Final = 30 * 24 * 3600
MAX_LENGTH: Final = 4096

_NAME: Final = b"token"
_VALUE: Final = urlsafe_b64encode(b"\x0d\x0c\x00\x0aauthorized")
"""A Go string in its own serialisation: length, type, length, text."""


def issue(secret: str, now: float) -> str:
    """Return a token issued at `now` (Unix seconds)."""
    payload = b"%d|%b|" % (int(now), _VALUE)
    return urlsafe_b64encode(payload + _signature(secret, payload)).decode()


def is_valid(secret: str, token: bytes, now: float) -> bool:
    """Whether `token` was issued with `secret` and has not expired.

    It must have been issued at most 30 days before `now` (Unix seconds).
    """
    if not secret or len(token) > MAX_LENGTH:
        return False
    try:
        seconds, value, signature = b64decode(token, b"-_", validate=True).split(b"|", 2)
        made_at = int(seconds)
    except ValueError:
        return False
    expected = _signature(secret, b"%b|%b|" % (seconds, value))
    return compare_digest(signature, expected) and value == _VALUE and made_at >= now - VALID_SECONDS


def _signature(secret: str, payload: bytes) -> bytes:
    return digest(secret.encode(), b"%b|%b" % (_NAME, payload[:-1]), "sha256")
