"""Caches parsed request heads with their routes, while clients repeat them.

A keep-alive client sends the same head with every request; only the length of the body may vary. Parsing a head and
finding its endpoint costs 5 to 10 µs, a lookup 0.1. Heads of WebSocket handshakes differ only in their keys and are
cached without them.
"""

import re
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from .head import Head, parse_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..router import Endpoint, Routes

MAX_CACHED: Final = 2048
MAX_CACHED_BYTES: Final = 2048

MAX_HANDSHAKES: Final = 256

END_OF_HEAD: Final = b"\r\n\r\n"

_KEY: Final = b"sec-websocket-key"
_KEY_LINE: Final = b"\r\nSec-WebSocket-Key: "
_KEY_BYTES: Final = 24
_is_key: Final = re.compile(rb"[A-Za-z0-9+/=]{24}").fullmatch
"""Whether the bytes look like a key, so that replacing them changes nothing else in the head."""


class CachedHead(msgspec.Struct, frozen=True, eq=False):
    """A parsed head with its endpoint and body limit."""

    head: Head
    endpoint: "Endpoint"
    max_body: int | None
    """Bytes, None for unlimited."""
    raw: bytes
    """The received bytes, with the empty line."""
    body_at: int
    """Length of `raw`."""
    size: int
    """Bytes of the complete request, if its body has a declared length within the limit and needs no 100 Continue; else
    0, which never matches."""
    streamed: bool
    """Whether the endpoint takes the body in chunks."""


class HeadCache:
    """The cached heads of one listener.

    All routes must be added before the first request.
    """

    __slots__ = ("_cached", "_handshakes", "_routes", "get")

    def __init__(self, routes: "Routes") -> None:
        self._routes = routes
        self._cached: dict[bytes, CachedHead] = {}
        self._handshakes: dict[tuple[bytes, bytes], CachedHead] = {}  # by the bytes before and after the key
        self.get: Callable[[bytes], CachedHead | None] = self._cached.get
        """Look up a head that is followed by `END_OF_HEAD`. Bytes with another end of head inside are never found."""

    def parse(self, raw: bytes, *, keep: bool) -> CachedHead:
        """Look up or parse a head, without its final empty line. Raises `BadRequest`.

        With `keep` it is cached, which is for clients that are likely to repeat it: not for the first request of a
        connection, as it may be the only one. A WebSocket handshake is cached on the first request.
        """
        cached = self.get(raw)
        if cached is None:
            cached = self._resolve(raw)
            if len(raw) <= MAX_CACHED_BYTES:
                self._keep(raw, cached) if keep else self._keep_handshake(raw, cached)
        return cached

    def handshake(self, raw: bytes) -> CachedHead | None:
        """Look up the head of a WebSocket handshake with any key."""
        before, _, rest = raw.partition(_KEY_LINE)
        key = rest[:_KEY_BYTES]
        cached = self._handshakes.get((before, rest[_KEY_BYTES:]))
        if cached is None or not _is_key(key):
            return None
        head = cached.head
        head = replace(head, headers={**head.headers, _KEY: key})
        whole = raw + END_OF_HEAD
        return CachedHead(head, cached.endpoint, cached.max_body, whole, len(whole), cached.size, cached.streamed)

    def _keep(self, raw: bytes, cached: CachedHead) -> None:
        if len(self._cached) >= MAX_CACHED:
            self._cached.clear()
        self._cached[raw] = cached

    def _keep_handshake(self, raw: bytes, cached: CachedHead) -> None:
        before, line, rest = raw.partition(_KEY_LINE)
        key, after = rest[:_KEY_BYTES], rest[_KEY_BYTES:]
        as_written = line and _is_key(key) and after[:2] in (b"", b"\r\n")
        if as_written and cached.head.headers[_KEY] == key and _KEY not in cached.head.repeated:
            if len(self._handshakes) >= MAX_HANDSHAKES:
                self._handshakes.clear()
            self._handshakes[before, after] = cached

    def _resolve(self, raw: bytes) -> CachedHead:
        head = parse_head(raw)
        whole = raw + END_OF_HEAD
        route = self._routes.find(head)
        length, limit = head.content_length, route.max_body
        simple = length >= 0 and not head.expects_continue and (limit is None or length <= limit)
        if length and route.streamed:
            simple = False
        size = len(whole) + length if simple else 0
        return CachedHead(head, route.endpoint, limit, whole, len(whole), size, route.streamed)
