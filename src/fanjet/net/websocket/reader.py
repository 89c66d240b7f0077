"""Parses incoming frames: received bytes in, messages and control frames out."""

import zlib
from dataclasses import dataclass
from typing import Final

from .frames import BINARY, CLOSE, CONTINUATION, DEFLATE_TAIL, FIN, MAX_CONTROL_PAYLOAD, PONG, RSV1, TEXT
from .masking import apply_mask

RSV2: Final = 0x20
RSV3: Final = 0x10
MASKED: Final = 0x80

PROTOCOL_ERROR: Final = 1002
MESSAGE_TOO_BIG: Final = 1009

# The tail omitted by the sender, then an empty last block: only a complete stream ends there.
_INFLATE_END: Final = DEFLATE_TAIL + b"\x01\x00\x00\xff\xff"

FRAMES_PER_TURN: Final = 200
"""Frames processed per turn of the event loop: one read can hold 40 000 pings or fragments, the kernel's buffer a
million."""

Frame = tuple[int, bytes]
"""Opcode and unmasked payload: a whole message (`TEXT`, `BINARY`), or a control frame."""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Size limits of an incoming message in bytes, on the wire and decompressed.

    None is unlimited (02 section 6.5).
    """

    message: int | None = 65536
    inflated: int | None = 655360


class ProtocolFailure(Exception):  # noqa: N818 (an error of the peer, and the domain's word for it)
    """The client violated the protocol or a limit: close with this code and reason."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class CorruptMessage(Exception):  # noqa: N818
    """The frames are valid, but their payload cannot be decompressed."""


class FrameReader:
    """Splits the bytes of one connection into frames, which are pulled one by one.

    Errors are reported as soon as the frame header shows them, so that buffering stays within the limits. Text is not
    validated as UTF-8. After a `ProtocolFailure` the reader must not be used any more; after a `CorruptMessage` it
    continues with the next frame.
    """

    __slots__ = (
        "_buffer",
        "_compressed",
        "_fragments",
        "_inflate",
        "_limits",
        "_needed",
        "_opcode",
        "_size",
        "_start",
        "frames_left",
    )

    def __init__(self, limits: ReadLimits, *, inflate: bool = False) -> None:
        self._limits = limits
        self._inflate = inflate
        self.frames_left = FRAMES_PER_TURN
        """Frames left in this turn, fragments included; the caller resets it every turn."""
        self._buffer = bytearray()
        self._start = 0
        self._needed = 2  # bytes needed from _start on to make progress
        self._fragments: list[bytes] | None = None  # of the message being received in parts
        self._opcode = 0
        self._compressed = False
        self._size = 0

    @property
    def has_bytes(self) -> bool:
        """Whether bytes are buffered: complete frames or the start of one."""
        return len(self._buffer) > self._start

    @property
    def is_idle(self) -> bool:
        """Whether nothing is buffered, so that the reader can be dropped."""
        return self._fragments is None and not self.has_bytes

    def feed(self, data: bytes) -> None:
        """Append received bytes."""
        self._buffer += data

    def next_frame(self) -> Frame | None:
        """Return the next message or control frame.

        Returns None if more bytes are needed or the turn is over. Raises `ProtocolFailure`, and `CorruptMessage` for a
        message that cannot be decompressed.
        """
        while self.frames_left and (frame := self._next_raw_frame()) is not None:
            self.frames_left -= 1
            first, payload = frame
            opcode = first & 0x0F
            if opcode >= CLOSE:
                if opcode == CLOSE:
                    _check_close(payload)
                return opcode, payload
            message = self._assemble(first, payload)
            if message is not None:
                return message
        return None

    def _next_raw_frame(self) -> Frame | None:
        buffer, start = self._buffer, self._start
        available = len(buffer) - start
        if available < self._needed:
            self._forget_consumed()
            return None
        first, second = buffer[start], buffer[start + 1]
        self._check_head(first, second)
        length = second & 0x7F
        header = 6 if length < 126 else 8 if length == 126 else 14
        if length >= 126:
            if available < header - 4:
                self._wait_for(header - 4)
                return None
            length = int.from_bytes(buffer[start + 2 : start + header - 4], "big")
        self._check_size(first, length)
        if available < header + length:
            self._wait_for(header + length)
            return None
        body = start + header
        self._start = body + length
        self._needed = 2
        return first, apply_mask(buffer[body : body + length], buffer[body - 4 : body])

    def _wait_for(self, needed: int) -> None:
        self._needed = needed
        self._forget_consumed()

    def _forget_consumed(self) -> None:
        if self._start:
            del self._buffer[: self._start]  # moves no bytes: bytearrays keep an offset
            self._start = 0

    def _check_head(self, first: int, second: int) -> None:
        if second >= MASKED and self._fragments is None and (first == FIN | TEXT or first == FIN | BINARY):
            return
        faults = list(self._faults(first, second))
        if faults:
            raise ProtocolFailure(PROTOCOL_ERROR, ", ".join(faults))

    def _faults(self, first: int, second: int) -> list[str]:
        faults = []
        if first & RSV1 and not self._inflate:
            faults.append("RSV1 set")
        if first & RSV2:
            faults.append("RSV2 set")
        if first & RSV3:
            faults.append("RSV3 set")
        opcode = first & 0x0F
        if CLOSE <= opcode <= PONG:
            if second & 0x7F > MAX_CONTROL_PAYLOAD:
                faults.append("len > 125 for control")
            if not first & FIN:
                faults.append("FIN not set on control")
        elif opcode in (TEXT, BINARY):
            if self._fragments is not None:
                faults.append("data before FIN")
        elif opcode == CONTINUATION:
            if self._fragments is None:
                faults.append("continuation after FIN")
        else:
            faults.append(f"bad opcode {opcode}")
        if second < MASKED:
            faults.append("bad MASK")
        return faults

    def _check_size(self, first: int, length: int) -> None:
        """Apply the wire limit to the message so far plus this frame.

        The frame's payload may be incomplete.
        """
        if first & 0x08:  # control frames do not count
            return
        limit = self._limits.message
        if length >> 63 or (limit is not None and self._size + length > limit):
            raise ProtocolFailure(MESSAGE_TOO_BIG)

    def _assemble(self, first: int, payload: bytes) -> Frame | None:
        opcode = first & 0x0F
        if opcode != CONTINUATION:
            self._opcode = opcode
            self._compressed = bool(first & RSV1)
        if not first & FIN:
            if self._fragments is None:
                self._fragments = []
            if payload:  # empty fragments are unlimited in number
                self._fragments.append(payload)
            self._size += len(payload)
            return None
        if self._fragments is not None:
            self._fragments.append(payload)
            payload = b"".join(self._fragments)
            self._fragments = None
            self._size = 0
        return self._opcode, self._inflated(payload) if self._compressed else payload

    def _inflated(self, payload: bytes) -> bytes:
        limit = self._limits.inflated
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = inflater.decompress(payload + _INFLATE_END, 0 if limit is None else limit + 1)
        except zlib.error as error:
            raise CorruptMessage from error
        if limit is not None and len(data) > limit:
            raise ProtocolFailure(MESSAGE_TOO_BIG, "message too big after decompression")
        if not inflater.eof:
            raise CorruptMessage
        return data


def _check_close(payload: bytes) -> None:
    if len(payload) < 2:  # a single byte counts as no code
        return
    code = int.from_bytes(payload[:2], "big")
    if not (1000 <= code <= 1003 or 1007 <= code <= 1013 or 3000 <= code <= 4999):
        raise ProtocolFailure(PROTOCOL_ERROR, f"bad close code {code}")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise ProtocolFailure(PROTOCOL_ERROR, "invalid utf8 payload in close frame") from None
