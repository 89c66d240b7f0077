"""The token that a login gives: signed, not kept anywhere, and the same on every node of the secret (10 H.2).

Its form is that of the reference, so that a login holds for all nodes of a mixed cluster: the base64 of
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
    """A token made at `now` (Unix seconds)."""
    made = b"%d|%b|" % (int(now), _VALUE)
    return urlsafe_b64encode(made + _signature(secret, made)).decode()


def is_valid(secret: str, token: bytes, now: float) -> bool:
    """Whether `token` was made under `secret`, at most 30 days before `now` (Unix seconds)."""
    if not secret or len(token) > MAX_LENGTH:
        return False
    try:
        seconds, value, signature = b64decode(token, b"-_", validate=True).split(b"|", 2)
        made_at = int(seconds)
    except ValueError:
        return False
    expected = _signature(secret, b"%b|%b|" % (seconds, value))
    return compare_digest(signature, expected) and value == _VALUE and made_at >= now - VALID_SECONDS


def _signature(secret: str, made: bytes) -> bytes:
    return digest(secret.encode(), b"%b|%b" % (_NAME, made[:-1]), "sha256")
