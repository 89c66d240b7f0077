"""Builds responses from cached heads."""

import time
from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

JSON: Final = b"application/json"
TEXT: Final = b"text/plain; charset=utf-8"
NO_SNIFFING: Final = (b"X-Content-Type-Options", b"nosniff")
CLOSE_CONNECTION: Final = (b"Connection", b"close")
"""As a response header, closes the connection after the response."""

_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus} | {
    413: b"Request Entity Too Large",
}


def reason(status: int) -> bytes:
    """The reason phrase; a generated one for unknown statuses."""
    return _REASONS.get(status) or b"status code %d" % status


def has_body(status: int) -> bool:
    """Whether responses of this status have a body and its length."""
    return status >= 200 and status not in (204, 304)


_SHORT: Final = 512
_ENDS: Final = tuple(b"%d\r\n\r\n" % size for size in range(_SHORT))
"""Precomputed ends of response heads for short bodies, from the length value on."""


class _Heads:
    """Cached starts of response heads by content type.

    They are valid for one second because of their `Date`.
    """

    __slots__ = ("date", "of_success", "second", "until")

    def __init__(self, second: int, until: float = 0.0) -> None:
        self.second = second
        self.until = until
        """When the next second starts, on the monotonic clock."""
        self.date = formatdate(second, usegmt=True).encode()
        self.of_success: dict[bytes, bytes] = {}

    def make(self, status: int, content_type: bytes) -> bytes:
        """The head of a response, up to the content type."""
        head = b"HTTP/1.1 %d %b\r\nDate: %b" % (status, reason(status), self.date)
        return b"%b\r\nContent-Type: %b" % (head, content_type) if content_type else head

    def make_success(self, content_type: bytes) -> bytes:
        """Build and cache one of the `of_success`."""
        head = self.of_success[content_type] = self.make(200, content_type) + b"\r\nContent-Length: "
        return head


_heads = _Heads(0)


def _current_heads() -> _Heads:
    global _heads  # noqa: PLW0603
    now = time.time()
    second = int(now)
    if second != _heads.second:
        _heads = _Heads(second, time.monotonic() + second + 1 - now)
    return _heads


def current_date() -> bytes:
    """The current value of the `Date` header."""
    return _current_heads().date


def ordinary_response(body: bytes, content_type: bytes, now: float) -> bytes:
    """The usual response: 200 with a body, its type and no other headers.

    HTTP/1.1, keep-alive. `now`: monotonic seconds, known to the caller.
    """
    heads = _heads
    if now >= heads.until:
        heads = _current_heads()
    head = heads.of_success.get(content_type) or heads.make_success(content_type)
    size = len(body)
    end = _ENDS[size] if size < _SHORT else b"%d\r\n\r\n" % size
    return b"".join((head, end, body))  # takes two thirds of the time of formatting


def response(
    status: int,
    body: bytes,
    content_type: bytes,
    headers: Iterable[tuple[bytes, bytes]],
    *,
    version: str,
    connection: bytes,
    send_body: bool,
) -> bytes:
    """Any response.

    `connection` is the value of that header, empty for none; without `send_body` only the head, with the body's length
    if there is one.
    """
    head = _current_heads().make(status, content_type if has_body(status) else b"")
    if version == "1.0":
        head = b"HTTP/1.0" + head[8:]
    lines = [head]
    lines.extend(b"%b: %b" % header for header in headers if header != CLOSE_CONNECTION)
    if has_body(status) and (body or send_body):
        lines.append(b"Content-Length: %d" % len(body))
    if connection:
        lines.append(b"Connection: " + connection)
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body if send_body and has_body(status) else b"")


def stream_head(
    status: int, content_type: bytes, headers: Iterable[tuple[bytes, bytes]], *, chunked: bool, keep_alive: bool
) -> bytes:
    """The head of a response with a streamed body; not `chunked` for HTTP/1.0 clients."""
    head = _current_heads().make(status, content_type)
    lines = [head if chunked else b"HTTP/1.0" + head[8:]]
    lines.extend(b"%b: %b" % header for header in headers)
    if chunked:
        lines.append(b"Connection: keep-alive" if keep_alive else b"Connection: close")
        lines.append(b"Transfer-Encoding: chunked")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def refusal(status: int, detail: str) -> bytes:
    """The last response on a connection, to an invalid request."""
    text = b"%d %b" % (status, reason(status))
    if status == 417:
        return response(status, b"", b"", (), version="1.1", connection=b"close", send_body=True)
    if detail:
        text += b": " + detail.encode()
    body = b"Unsupported transfer encoding" if status == 501 else text
    return b"HTTP/1.1 %b\r\nContent-Type: %b\r\nConnection: close\r\n\r\n%b" % (text, TEXT, body)
