"""Parses URLs of the HTTP client."""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit

_VISIBLE: Final = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


class Origin(NamedTuple):
    """A server to connect to."""

    host: str
    port: int
    tls: bool


class Target(NamedTuple):
    """The parts of a URL that a request needs.

    `authorization` is empty without user information.
    """

    url: str
    origin: Origin
    authority: str
    path: str
    authorization: str


@lru_cache(maxsize=256)
def parse_target(url: str) -> Target:
    """Parse a URL. Raises ValueError if it cannot be requested."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{parts.scheme or 'no scheme'}, {parts.hostname or 'no host'}")
    tls = parts.scheme == "https"
    host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
    path = quote(parts.path or "/", safe=_VISIBLE)
    if parts.query:
        path += f"?{quote(parts.query, safe=_VISIBLE)}"
    authorization = ""
    if parts.username or parts.password:
        named = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        authorization = f"Basic {b64encode(named.encode()).decode()}"
    origin = Origin(host, parts.port or (443 if tls else 80), tls)
    return Target(url, origin, parts.netloc.rpartition("@")[2], path, authorization)


def referer(last: Target, target: Target) -> tuple[tuple[str, str], ...]:
    """The `Referer` header of a redirect, without user information.

    There is none from https to http (RFC 9110 section 10.1.3).
    """
    if last.origin.tls and not target.origin.tls:
        return ()
    parts = urlsplit(last.url)
    return (("Referer", parts._replace(netloc=last.authority, fragment="").geturl()),)
