"""Cookies of requests, and those that are set (RFC 6265)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fanjet.net.http1.request import Request

MAX_COOKIE_LENGTH: Final = 4000
"""Characters that browsers keep for sure, name and attributes included."""


def cookie_of(request: Request, name: str) -> bytes:
    """The value of a cookie; empty without it."""
    wanted = name.encode()
    for header in request.all_values(b"cookie"):
        for pair in header.split(b";"):
            found, _, value = pair.strip().partition(b"=")
            if found == wanted:
                return value
    return b""


def set_cookie(name: str, value: str, path: str, *, seconds: int, same_site: str) -> tuple[bytes, bytes]:
    """The header that has a cookie kept for so long, 0 to drop it: sent over HTTPS only, and hidden from scripts."""
    attributes = f"Path={path}; Max-Age={seconds}; HttpOnly; Secure; SameSite={same_site}"
    return b"Set-Cookie", f"{name}={value}; {attributes}".encode()
