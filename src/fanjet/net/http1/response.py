"""Response heads, which are the same but for the length of the body most of the time."""

import time
from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

JSON: Final = b"application/json"
TEXT: Final = b"text/plain; charset=utf-8"
NO_SNIFFING: Final = (b"X-Content-Type-Options", b"nosniff")
CLOSE_CONNECTION: Final = (b"Connection", b"close")
"""Among the headers of a response, ends the connection after it."""

_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus} | {
    413: b"Request Entity Too Large",
    499: b"",
}


def reason(status: int) -> bytes:
    """The status text, empty for a status that has none."""
    return _REASONS.get(status, b"")


def has_body(status: int) -> bool:
    """Whether responses of this status carry a body and its length."""
    return status >= 200 and status not in (204, 304)


class _HeadCache:
    """Beginnings of response heads by status and content type, good for one second because of their `Date`."""

    __slots__ = ("_heads", "_second")

    def __init__(self) -> None:
        self._second = 0
        self._heads: dict[tuple[int, bytes], bytes] = {}

    def get(self, status: int, content_type: bytes) -> bytes:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._heads.clear()
        head = self._heads.get((status, content_type))
        if head is None:
            head = b"HTTP/1.1 %d %b\r\nDate: %b" % (status, reason(status), formatdate(second, usegmt=True).encode())
            if content_type:
                head += b"\r\nContent-Type: " + content_type
            self._heads[status, content_type] = head
        return head


_heads = _HeadCache()


def ordinary_response(status: int, body: bytes, content_type: bytes) -> bytes:
    """The usual response: HTTP/1.1, the connection stays open, a body with its type, nothing else."""
    return b"%b\r\nContent-Length: %d\r\n\r\n%b" % (_heads.get(status, content_type), len(body), body)


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
    """Any response. `connection` is the value of that header, empty for none; without `send_body` only the head."""
    head = _heads.get(status, content_type if has_body(status) else b"")
    if version == "1.0":
        head = b"HTTP/1.0" + head[8:]
    lines = [head]
    lines.extend(b"%b: %b" % header for header in headers if header != CLOSE_CONNECTION)
    if has_body(status):
        lines.append(b"Content-Length: %d" % len(body))
    if connection:
        lines.append(b"Connection: " + connection)
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body if send_body and has_body(status) else b"")


def refusal(status: int, detail: str) -> bytes:
    """The last response on a connection: to a request that was not understood, or is not wanted."""
    text = b"%d %b" % (status, reason(status))
    if status in (413, 417):
        return response(status, b"", b"", (), version="1.1", connection=b"close", send_body=True)
    if detail:
        text += b": " + detail.encode()
    body = b"Unsupported transfer encoding" if status == 501 else text
    return b"HTTP/1.1 %b\r\nContent-Type: %b\r\nConnection: close\r\n\r\n%b" % (text, TEXT, body)
