"""The client side of HTTP/2 without TLS.

It implements frames, preface and acknowledgements (RFC 9113).

The flow-control windows are opened to the maximum once, so that no updates are needed before two gigabytes.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

DATA: Final = 0
HEADERS: Final = 1
RST_STREAM: Final = 3
SETTINGS: Final = 4
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8

END_STREAM: Final = 1
ACK: Final = 1
END_HEADERS: Final = 4

_HEAD: Final = 9
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_ENABLE_PUSH: Final = 2
_INITIAL_WINDOW_SIZE: Final = 4
_MAX_WINDOW: Final = 2**31 - 1
_DEFAULT_WINDOW: Final = 2**16 - 1


class Http2Frame(NamedTuple):
    """An HTTP/2 frame.

    gRPC servers use neither padding nor CONTINUATION, so HEADERS hold a whole block.
    """

    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return an encoded frame."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _setting(name: int, value: int) -> bytes:
    return name.to_bytes(2, "big") + value.to_bytes(4, "big")


CLIENT_PREFACE: Final = (
    _PREFACE
    + frame(SETTINGS, 0, 0, _setting(_ENABLE_PUSH, 0) + _setting(_INITIAL_WINDOW_SIZE, _MAX_WINDOW))
    + frame(WINDOW_UPDATE, 0, 0, (_MAX_WINDOW - _DEFAULT_WINDOW).to_bytes(4, "big"))
)
"""The first bytes of a client."""


def ack_for(received: Http2Frame) -> bytes:
    """Return the acknowledgement of SETTINGS or PING; empty for other frames."""
    if received.kind not in (SETTINGS, PING) or received.flags & ACK:
        return b""
    return frame(received.kind, ACK, 0, received.payload if received.kind == PING else b"")


def error_code(received: Http2Frame) -> bytes:
    """Return the error code of a RST_STREAM or GOAWAY in two bytes.

    This is its form in a WebSocket close frame.
    """
    return received.payload[6:8] if received.kind == GOAWAY else received.payload[2:4]


class Http2Reader:
    """Splits received bytes into frames."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    def frames(self, data: bytes) -> Iterator[Http2Frame]:
        """Yield every frame that `data` completes."""
        buffer, at = self._buffer + data, 0
        while len(buffer) >= (start := at + _HEAD):
            end = start + int.from_bytes(buffer[at : at + 3], "big")
            if len(buffer) < end:
                break
            stream = int.from_bytes(buffer[at + 5 : start], "big")
            yield Http2Frame(buffer[at + 3], buffer[at + 4], stream, buffer[start:end])
            at = end
        self._buffer = buffer[at:]
