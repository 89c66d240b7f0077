"""Converts WebSocket frames to ASGI messages and back."""

from __future__ import annotations

import struct
from itertools import groupby
from typing import TYPE_CHECKING, Final

from ..websocket.frames import BINARY, CLOSE, FIN, TEXT
from ..websocket.frames import PONG as PONG_OPCODE
from ..websocket.reader import MASKED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..asgi_host.types import Message

_OPCODE: Final = 0x0F
_NO_MASK: Final = bytes(4)

PONG: Final = bytes((FIN | PONG_OPCODE, MASKED)) + _NO_MASK
"""A client's pong frame without payload."""


def frame_from_message(message: Message) -> bytes:
    """Encode a message as a client frame, with a zero mask."""
    text = message.get("text")
    opcode, payload = (BINARY, message.get("bytes") or b"") if text is None else (TEXT, text.encode())
    length = len(payload)
    if length < 126:
        head = bytes((FIN | opcode, MASKED | length))
    elif length < 0x10000:
        head = struct.pack("!BBH", FIN | opcode, MASKED | 126, length)
    else:
        head = struct.pack("!BBQ", FIN | opcode, MASKED | 127, length)
    return head + _NO_MASK + payload


def messages_from_frames(frames: bytes, separator: bytes | None) -> Iterator[Message]:
    """Yield the ASGI messages of complete frames.

    With a `separator`, adjacent frames of one type become one message: one message costs the ASGI server as much as ten
    frames.
    """
    if separator is None:
        for opcode, payload in _payloads(frames):
            yield _message(opcode, payload)
        return
    for opcode, group in groupby(_payloads(frames), key=lambda frame: frame[0]):
        yield _message(opcode, separator.join(payload for _, payload in group))


def _payloads(frames: bytes) -> Iterator[tuple[int, bytes]]:
    at, end = 0, len(frames)
    while at < end:
        opcode, length = frames[at] & _OPCODE, frames[at + 1]
        at += 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length = int.from_bytes(frames[at : at + size], "big")
            at += size
        yield opcode, frames[at : at + length]
        at += length


def _message(opcode: int, payload: bytes) -> Message:
    if opcode == TEXT:
        return {"type": "websocket.send", "text": payload.decode("utf-8", "replace")}
    if opcode == BINARY:
        return {"type": "websocket.send", "bytes": payload}
    assert opcode == CLOSE, "the ASGI server handles all other control frames"
    code = int.from_bytes(payload[:2], "big") if payload else 1000
    return {"type": "websocket.close", "code": code, "reason": payload[2:].decode("utf-8", "replace")}
