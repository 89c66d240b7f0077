"""Framing of messages on the socket between worker and engine.

The messages of one event loop turn are sent as one array, after its length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from msgspec import MsgspecError, Raw

from .messages import encode

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

MAX_FRAME: Final = 256 * 1024 * 1024
"""Bytes of a frame, and of a message."""
FLUSH_SIZE: Final = 256 * 1024
"""A frame is sent early when its encoded messages have so many bytes."""

WAIT_SECONDS: Final = 0.001
"""Pause before the next attempt, while `flush_before` returns False."""

_LENGTH: Final = 4

T = TypeVar("T")


class MalformedFrame(Exception):  # noqa: N818 (says what is wrong)
    """A frame is too long, or does not contain the expected messages."""


class FrameReader(Generic[T]):
    """Splits bytes into messages. `decode` decodes the array of a frame."""

    __slots__ = ("_buffer", "_decode")

    def __init__(self, decode: Callable[[bytes], list[T]]) -> None:
        self._decode = decode
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[T]:
        """The messages that are complete now. Raises `MalformedFrame`."""
        buffer = self._buffer
        if not buffer and len(data) - _LENGTH == int.from_bytes(data[:_LENGTH], "big"):
            return self._read(data[_LENGTH:])  # exactly one frame, as nearly always
        buffer += data
        messages: list[T] = []
        start = 0
        with memoryview(buffer) as view:
            while (begin := start + _LENGTH) <= len(view):
                length = int.from_bytes(view[start:begin], "big")
                if length > MAX_FRAME:
                    raise MalformedFrame(f"a frame of {length} bytes")
                end = begin + length
                if end > len(view):
                    break
                messages += self._read(bytes(view[begin:end]))  # a copy, since messages may refer to parts of it
                start = end
        del buffer[:start]
        return messages

    def _read(self, frame: bytes) -> list[T]:
        try:
            return self._decode(frame)
        except MsgspecError as error:
            raise MalformedFrame(str(error)) from error


class FrameWriter:
    """Encodes the messages of one event loop turn together as one frame.

    The frame is passed to `send`. Before that, `flush_before` is called, which returns False while the frame has to
    wait.
    """

    __slots__ = ("_flush_before", "_loop", "_messages", "_send", "_size")

    def __init__(
        self, loop: AbstractEventLoop, send: Callable[[bytes], None], flush_before: Callable[[], bool]
    ) -> None:
        self._loop = loop
        self._flush_before = flush_before
        self._send = send
        self._messages: list[object] = []
        self._size = 0

    @property
    def has_messages(self) -> bool:
        """Whether messages are waiting to be sent with this turn."""
        return bool(self._messages)

    def add(self, message: object) -> None:
        """Send a message with this turn."""
        messages = self._messages
        if not messages:
            self._loop.call_soon(self._end_turn)
        messages.append(message)

    def add_encoded(self, message: object, limit: int) -> int:
        """Encode a message now, and send it with this turn.

        It is encoded at once since it may be long or may not be encodable. Returns its size in bytes; a message beyond
        `limit` is not sent.
        """
        encoded = encode(message)
        size = len(encoded)
        if size <= limit:
            if self._size + size > FLUSH_SIZE:
                self.flush()
            self.add(Raw(encoded))
            self._size += size
        return size

    def _end_turn(self) -> None:
        if self._messages and not self.flush():
            self._loop.call_later(WAIT_SECONDS, self._end_turn)

    def flush(self) -> bool:
        """Send the waiting messages now; False if they have to wait."""
        messages = self._messages
        if not messages:
            return True
        if not self._flush_before():
            return False
        self._messages = []
        self._size = 0
        frame = encode(messages)
        self._send(len(frame).to_bytes(_LENGTH, "big") + frame)
        return True
