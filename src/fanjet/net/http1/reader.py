"""Incoming requests: bytes as they come off the socket, whole requests out."""

import re
from collections.abc import Callable
from typing import Final

from .body import Body, ChunkedBody, LengthBody
from .errors import BadRequest
from .head import CHUNKED, Head, check_request_line, parse_familiar_head, parse_head

MAX_HEAD_BYTES: Final = 1 << 20

_HEAD_END: Final = re.compile(rb"\n\r?\n")
_LEADING_BYTES: Final = 4


class RequestReader:
    """Cuts the bytes of one connection into requests, which are pulled one by one.

    `body_limit` is asked once per request with a body, when its head is complete, for the bytes it may have (None: any
    number). After an exception the reader must not be used any more.
    """

    __slots__ = (
        "_body",
        "_body_limit",
        "_buffer",
        "_head",
        "_line_checked",
        "_scanned",
        "_start",
        "_tolerant",
        "_used",
        "_waits_for_leave",
    )

    def __init__(self, body_limit: Callable[[Head], int | None]) -> None:
        self._body_limit = body_limit
        self._buffer: bytes | bytearray = b""
        self._start = 0
        self._scanned = 0  # where the search for the end of a head goes on
        self._line_checked = False
        self._head: Head | None = None  # of the request whose body is being received
        self._body: Body | None = None
        self._waits_for_leave = False
        self._used = False
        self._tolerant = False

    @property
    def waiting(self) -> int:
        """Bytes that have not been looked at, or only in vain."""
        return len(self._buffer) - self._start

    @property
    def is_idle(self) -> bool:
        """Whether no request has begun."""
        return self._head is None and len(self._buffer) == self._start

    @property
    def partial_head(self) -> Head | None:
        """The head of the request whose body is still missing."""
        return self._head

    def take_expectation(self) -> bool:
        """Whether the client waits for leave to send the body; true once per request."""
        waits, self._waits_for_leave = self._waits_for_leave, False
        return waits

    def feed(self, data: bytes) -> None:
        """Append what was received."""
        buffer = self._buffer
        if len(buffer) == self._start:
            self._buffer = data
            self._start = self._scanned = 0
        elif isinstance(buffer, bytearray):
            buffer += data
        else:
            self._buffer = bytearray(buffer) + data

    def next_request(self) -> tuple[Head, bytes] | None:
        """Return the next whole request, None when more bytes are needed. Raises `BadRequest`."""
        head = self._head
        if head is None:
            head = self._next_head()
            if head is None:
                return None
            length = head.content_length
            if length == 0:
                return head, b""
            limit = self._body_limit(head)
            if limit is not None and length > limit:
                raise BadRequest(413)
            if 0 < length <= self.waiting:
                start, self._start = self._start, self._start + length
                return head, bytes(self._buffer[start : self._start])
            self._head = head
            self._waits_for_leave = head.expects_continue
            self._body = ChunkedBody(limit) if length == CHUNKED else LengthBody(length)
        return self._receive_body(head)

    def _receive_body(self, head: Head) -> tuple[Head, bytes] | None:
        body = self._body
        assert body is not None
        data = bytes(self._buffer[self._start :] if self._start else self._buffer)
        self._start = self._scanned = 0
        self._buffer = b""
        rest = body.feed(data)
        if rest is None:
            return None
        self._buffer = rest
        self._head = self._body = None
        return head, body.value()

    def _next_head(self) -> Head | None:
        if self._tolerant:
            self._skip_line_ends()
        buffer, start = self._buffer, self._start
        end = _HEAD_END.search(buffer, max(start, self._scanned))
        if end is None:
            self._check_partial_head()
            return None
        if end.start() - start > MAX_HEAD_BYTES:
            raise BadRequest(431)
        raw = bytes(buffer[start : end.start()]).removesuffix(b"\r")
        # Only who has sent a request already is likely to repeat it.
        head = parse_familiar_head(raw) if self._used else parse_head(raw)
        self._used = True
        self._tolerant = head.method == "POST"
        self._line_checked = False
        self._start = self._scanned = end.end()
        if isinstance(buffer, bytearray):
            del buffer[: self._start]
            self._start = self._scanned = 0
        return head

    def _check_partial_head(self) -> None:
        """Refuse early what cannot become a request, so that nothing is waited for in vain."""
        buffer, start = self._buffer, self._start
        if len(buffer) - start > MAX_HEAD_BYTES:
            raise BadRequest(431)
        self._scanned = max(start, len(buffer) - 2)
        if not self._line_checked and (end := buffer.find(b"\n", start)) >= 0:
            check_request_line(bytes(buffer[start:end]).removesuffix(b"\r"))
            self._line_checked = True

    def _skip_line_ends(self) -> None:
        """Old clients send a line end behind the body of a POST (RFC 9112 section 2.2)."""
        window = bytes(self._buffer[self._start : self._start + _LEADING_BYTES])
        self._start += len(window) - len(window.lstrip(b"\r\n"))
