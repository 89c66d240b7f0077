"""Builds outgoing frames.

Server frames are not masked, so one `bytes` object serves any number of clients.
"""

import zlib
from collections.abc import Callable
from functools import cache
from typing import Final

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

FIN: Final = 0x80
RSV1: Final = 0x40

MAX_CONTROL_PAYLOAD: Final = 125
NO_STATUS: Final = 1005
MAX_REASON_BYTES: Final = 123
DEFLATE_TAIL: Final = b"\x00\x00\xff\xff"
"""The end of every flushed DEFLATE stream; omitted on the wire (RFC 7692 section 7.2.1)."""

FrameBuilder = Callable[[bytes], bytes]


def _head(first: int, length: int) -> bytes:
    if length < 126:
        return bytes((first, length))
    if length < 0x10000:
        return bytes((first, 126, length >> 8, length & 0xFF))
    return bytes((first, 127)) + length.to_bytes(8, "big")


# Precomputed heads of short frames: a frame then costs one lookup and one concatenation.
_SHORT: Final = 1024
_TEXT_HEADS: Final = tuple(_head(FIN | TEXT, length) for length in range(_SHORT))
_BINARY_HEADS: Final = tuple(_head(FIN | BINARY, length) for length in range(_SHORT))


def text_frame(payload: bytes) -> bytes:
    """`payload` as one unfragmented text frame."""
    length = len(payload)
    return _TEXT_HEADS[length] + payload if length < _SHORT else _head(FIN | TEXT, length) + payload


def binary_frame(payload: bytes) -> bytes:
    """`payload` as one unfragmented binary frame."""
    length = len(payload)
    return _BINARY_HEADS[length] + payload if length < _SHORT else _head(FIN | BINARY, length) + payload


def ping_frame(payload: bytes = b"") -> bytes:
    """A ping with at most 125 bytes of payload."""
    return _control_frame(PING, payload)


def pong_frame(payload: bytes) -> bytes:
    """The pong for a ping with this payload."""
    return _control_frame(PONG, payload)


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame with the low 16 bits of `code`.

    `reason` is truncated at a character boundary. 1005 stands for a frame without both (RFC 6455 section 7.4.1).
    """
    if code == NO_STATUS:
        return _control_frame(CLOSE, b"")
    encoded = reason.encode("utf-8", "replace")
    if len(encoded) > MAX_REASON_BYTES:
        encoded = encoded[:MAX_REASON_BYTES].decode("utf-8", "ignore").encode()
    return _control_frame(CLOSE, (code & 0xFFFF).to_bytes(2, "big") + encoded)


def close_echo_frame(payload: bytes) -> bytes:
    """The response to a close frame with this payload.

    It has the payload's code, if any, and no reason.
    """
    return _control_frame(CLOSE, payload[:2] if len(payload) >= 2 else b"")


@cache
def deflated_text_frame(level: int, min_size: int) -> FrameBuilder:
    """A builder of text frames that compresses payloads longer than `min_size` bytes.

    `level` is -2 (Huffman only), -1 (zlib's default) to 9. No context is kept between frames, so that frames can be
    shared between clients. Equal arguments return the same builder.
    """
    return _deflating(TEXT, level, min_size, text_frame)


@cache
def deflated_binary_frame(level: int, min_size: int) -> FrameBuilder:
    """Like `deflated_text_frame`, for binary frames."""
    return _deflating(BINARY, level, min_size, binary_frame)


def _deflating(opcode: int, level: int, min_size: int, plain: FrameBuilder) -> FrameBuilder:
    first = FIN | RSV1 | opcode
    if level == -2:
        settings = (1, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_HUFFMAN_ONLY)
    else:
        settings = (level, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_DEFAULT_STRATEGY)

    def build(payload: bytes) -> bytes:
        if len(payload) <= min_size:
            return plain(payload)
        deflate = zlib.compressobj(*settings)
        deflated = deflate.compress(payload) + deflate.flush(zlib.Z_SYNC_FLUSH)
        body = deflated.removesuffix(DEFLATE_TAIL)
        return _head(first, len(body)) + body

    return build


def _control_frame(opcode: int, payload: bytes) -> bytes:
    if len(payload) > MAX_CONTROL_PAYLOAD:
        raise ValueError("the payload of a control frame is at most 125 bytes")
    return bytes((FIN | opcode, len(payload))) + payload
