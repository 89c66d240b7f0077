"""Where requests of the HTTP client go to."""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit

_VISIBLE: Final = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


class Origin(NamedTuple):
    """A server that connections lead to."""

    host: str
    port: int
    tls: bool


class Target(NamedTuple):
    """A URL in the parts that a request needs. `authorization` is empty where it names nobody."""

    url: str
    origin: Origin
    authority: str
    path: str
    authorization: str


@lru_cache(maxsize=256)
def parse_target(url: str) -> Target:
    """Take a URL apart. Raises ValueError for what cannot be posted to."""
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
    """The header that tells where a redirect came from: nobody is named, and nothing told where it could be overheard
    (RFC 9110 section 10.1.3)."""
    if last.origin.tls and not target.origin.tls:
        return ()
    parts = urlsplit(last.url)
    return (("Referer", parts._replace(netloc=last.authority, fragment="").geturl()),)
