"""Reads requests: received bytes in, complete requests out."""

import re
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from .body import Body, ChunkedBody, LengthBody
from .errors import BadRequest
from .expect_continue import BodyStreamed, BodyTooLarge, BodyUnavailable, ContinueRequired, UnreadableBody
from .head import CHUNKED, Head, check_request_line

if TYPE_CHECKING:
    from ..router import Endpoint
    from .head_cache import CachedHead, HeadCache

MAX_HEAD_BYTES: Final = 1 << 20

_HEAD_END: Final = re.compile(rb"\n\r?\n")
_LEADING_BYTES: Final = 4


class RequestReader:
    """Splits the bytes of one connection into requests, which are pulled one by one.

    Idle connections need none.

    After an exception, or an `UnreadableBody`, the reader must not be used any more.
    """

    __slots__ = (
        "_body",
        "_buffer",
        "_cached",
        "_heads",
        "_line_checked",
        "_scanned",
        "_start",
        "previous",
    )

    def __init__(self, heads: "HeadCache", previous: Head | None = None) -> None:
        self._heads = heads
        self.previous = previous
        """The head of the previous request on the connection."""
        self._buffer: bytes | bytearray = b""
        self._start = 0
        self._scanned = 0  # where the search for the end of a head continues
        self._line_checked = False
        self._cached: CachedHead | None = None  # of the request whose body is being received
        self._body: Body | None = None

    @property
    def waiting(self) -> int:
        """Bytes buffered and not consumed."""
        return len(self._buffer) - self._start

    @property
    def is_idle(self) -> bool:
        """Whether nothing is buffered: the reader may be dropped."""
        return self._cached is None and len(self._buffer) == self._start

    @property
    def is_reading_body(self) -> bool:
        """Whether a request has a complete head and an incomplete body."""
        return self._cached is not None

    def set_endpoint(self, endpoint: "Endpoint") -> None:
        """Replace the endpoint of the request whose body is being read."""
        assert self._cached is not None
        self._cached = replace(self._cached, endpoint=endpoint)

    def feed(self, data: bytes) -> None:
        """Append received bytes."""
        buffer = self._buffer
        if len(buffer) == self._start:
            self._buffer = data
            self._start = self._scanned = 0
        elif isinstance(buffer, bytearray):
            buffer += data
        else:
            self._buffer = bytearray(buffer) + data

    def next_request(self) -> "tuple[CachedHead, bytes | type[BodyUnavailable]] | None":
        """Return the next request, None if more bytes are needed. Raises `BadRequest`.

        A request is returned without its body if that cannot be read, or, with `ContinueRequired`, if the client waits
        for 100 Continue: then the same request is returned again once it is complete.
        """
        received = self._receive()
        if received is not None:
            self.previous = received[0].head
        return received

    def next_chunk(self) -> tuple[bytes, bool]:
        """Return the received part of a streamed body, and whether it is the last.

        Raises `UnreadableBody`.
        """
        body = self._body
        assert body is not None
        data = bytes(self._buffer[self._start :])
        self._start = self._scanned = 0
        self._buffer = b""
        rest = body.feed(data)
        if rest is None:
            return body.take(), False
        self._buffer = rest
        self._cached = self._body = None
        return body.take(), True

    def _receive(self) -> "tuple[CachedHead, bytes | type[BodyUnavailable]] | None":
        cached = self._cached
        if cached is None:
            cached = self._next_head()
            if cached is None:
                return None
            length, limit = cached.head.content_length, cached.max_body
            if length == 0:
                return cached, b""
            if cached.streamed:
                self._cached = cached
                self._body = ChunkedBody(None) if length == CHUNKED else LengthBody(length)
                return cached, BodyStreamed
            if limit is not None and length > limit:
                return cached, BodyTooLarge
            awaited = cached.head.expects_continue
            if 0 < length <= self.waiting and not awaited:
                start, self._start = self._start, self._start + length
                return cached, bytes(self._buffer[start : self._start])
            self._cached = cached
            self._body = ChunkedBody(limit) if length == CHUNKED else LengthBody(length)
            if awaited:
                return cached, ContinueRequired
        return self._receive_body(cached)

    def _receive_body(self, cached: "CachedHead") -> "tuple[CachedHead, bytes | type[UnreadableBody]] | None":
        body = self._body
        assert body is not None
        data = bytes(self._buffer[self._start :] if self._start else self._buffer)
        self._start = self._scanned = 0
        self._buffer = b""
        try:
            rest = body.feed(data)
        except UnreadableBody as failure:
            return cached, type(failure)
        if rest is None:
            return None
        self._buffer = rest
        self._cached = self._body = None
        return cached, body.value()

    def _next_head(self) -> "CachedHead | None":
        previous = self.previous
        if previous is not None and previous.method == "POST":
            self._skip_line_ends()
        buffer, start = self._buffer, self._start
        end = _HEAD_END.search(buffer, max(start, self._scanned))
        if end is None:
            self._check_partial_head()
            return None
        if end.start() - start > MAX_HEAD_BYTES:
            raise BadRequest(431)
        raw = bytes(buffer[start : end.start()]).removesuffix(b"\r")
        cached = self._heads.parse(raw, keep=previous is not None)
        self._line_checked = False
        self._start = self._scanned = end.end()
        if isinstance(buffer, bytearray):
            del buffer[: self._start]
            self._start = self._scanned = 0
        return cached

    def _check_partial_head(self) -> None:
        """Refuse an invalid start early, instead of waiting for more."""
        buffer, start = self._buffer, self._start
        if len(buffer) - start > MAX_HEAD_BYTES:
            raise BadRequest(431)
        self._scanned = max(start, len(buffer) - 2)
        if not self._line_checked and (end := buffer.find(b"\n", start)) >= 0:
            check_request_line(bytes(buffer[start:end]).removesuffix(b"\r"))
            self._line_checked = True

    def _skip_line_ends(self) -> None:
        """Old clients send a line end after the body of a POST (RFC 9112 section 2.2)."""
        window = bytes(self._buffer[self._start : self._start + _LEADING_BYTES])
        self._start += len(window) - len(window.lstrip(b"\r\n"))
