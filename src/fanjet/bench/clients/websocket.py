"""The client side of WebSocket: handshake, masked frames out, frames in."""

import base64
import os
from collections.abc import Iterator
from typing import Final

import msgspec

OP_TEXT: Final = 1
OP_CLOSE: Final = 8
OP_PING: Final = 9
OP_PONG: Final = 10

PING: Final = b"{}"
"""The server's ping, alone in a line or frame; no payload of the benchmark contains these bytes."""

_MASK_KEY: Final = bytes((0x37, 0xFA, 0x21, 0x3D))


def text_frame(payload: bytes) -> bytes:
    """Return a final, masked text frame with this payload."""
    return masked_frame(OP_TEXT, payload)


def masked_frame(opcode: int, payload: bytes) -> bytes:
    """Return a final frame masked with a fixed key.

    It can be built once and sent often.
    """
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 65536:
        head = bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0x80 | 127)) + size.to_bytes(8, "big")
    return head + _MASK_KEY + _masked(payload)


def _masked(payload: bytes) -> bytes:
    size = len(payload)
    key = (_MASK_KEY * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


PONG_FRAME: Final = text_frame(b"{}")


def handshake(host: str, port: int, path: str = "/connection/websocket") -> bytes:
    """Return the handshake of a JSON connection, as sent by an SDK outside a browser."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def commands_frame(*commands: dict[str, object]) -> bytes:
    """Return a frame with these commands, one per line (01 §2.4)."""
    return text_frame(b"\n".join(msgspec.json.encode(command) for command in commands))


class FrameReader:
    """Splits received bytes into frames. Fragmented messages are not expected."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    def frames(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield opcode and payload of every frame that `data` completes."""
        buffer = self._buffer + data if self._buffer else data
        at = 0
        while (bounds := _frame_bounds(buffer, at)) is not None:
            start, end = bounds
            yield buffer[at] & 0x0F, buffer[start:end]
            at = end
        self._buffer = buffer[at:]


def _frame_bounds(buffer: bytes, at: int) -> tuple[int, int] | None:
    """Return start and end of the payload of the unmasked frame at `at`.

    Returns None while the frame is incomplete.
    """
    if len(buffer) < at + 2:
        return None
    size, start = buffer[at + 1], at + 2
    if size >= 126:
        width = 2 if size == 126 else 8
        if len(buffer) < start + width:
            return None
        size, start = int.from_bytes(buffer[start : start + width], "big"), start + width
    return (start, start + size) if len(buffer) >= start + size else None
