"""Reads and sets cookies (RFC 6265)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fanjet.net.http1.request import Request

MAX_COOKIE_LENGTH: Final = 4000
"""Characters that every browser accepts, including name and attributes."""


def cookie_of(request: Request, name: str) -> bytes:
    """Return the value of a cookie; empty if absent."""
    wanted = name.encode()
    for header in request.all_values(b"cookie"):
        for pair in header.split(b";"):
            found, _, value = pair.strip().partition(b"=")
            if found == wanted:
                return value
    return b""


def set_cookie(name: str, value: str, path: str, *, seconds: int, same_site: str) -> tuple[bytes, bytes]:
    """Return the header that sets a cookie, for HTTPS only and hidden from scripts.

    `seconds`: its lifetime, 0 to delete it.
    """
    attributes = f"Path={path}; Max-Age={seconds}; HttpOnly; Secure; SameSite={same_site}"
    return b"Set-Cookie", f"{name}={value}; {attributes}".encode()
