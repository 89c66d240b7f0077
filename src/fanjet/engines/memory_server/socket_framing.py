"""How messages travel over a socket: those of one turn of the loop together, as an array with its length before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from msgspec import MsgspecError, Raw

from .messages import encode

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

MOST_IN_FRAME: Final = 256 * 1024 * 1024
"""Bytes of a frame, and so of a message."""
FULL: Final = 256 * 1024
"""Bytes of those messages of a frame that may be long, if there are several."""

WAIT_SECONDS: Final = 0.001
"""For what has to happen before."""

_LENGTH: Final = 4

T = TypeVar("T")


class MalformedFrame(Exception):  # noqa: N818 (says what is wrong)
    """Bytes that are no frame, or too many."""


class FrameReader(Generic[T]):
    """Bytes in, messages out. `decode` reads the array of a frame."""

    __slots__ = ("_decode", "_rest")

    def __init__(self, decode: Callable[[bytes], list[T]]) -> None:
        self._decode = decode
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[T]:
        """The messages that are complete now. Raises `MalformedFrame`."""
        rest = self._rest
        if not rest and len(data) - _LENGTH == int.from_bytes(data[:_LENGTH], "big"):
            return self._read(data[_LENGTH:])  # one frame, as nearly always
        rest += data
        messages: list[T] = []
        start = 0
        with memoryview(rest) as view:
            while (begin := start + _LENGTH) <= len(view):
                length = int.from_bytes(view[start:begin], "big")
                if length > MOST_IN_FRAME:
                    raise MalformedFrame(f"a frame of {length} bytes")
                end = begin + length
                if end > len(view):
                    break
                messages += self._read(bytes(view[begin:end]))  # a copy: messages may hold parts of it
                start = end
        del rest[:start]
        return messages

    def _read(self, frame: bytes) -> list[T]:
        try:
            return self._decode(frame)
        except MsgspecError as error:
            raise MalformedFrame(str(error)) from error


class FrameWriter:
    """Collects messages, encodes those of one turn of the loop together, and hands the frame to `send`, after what
    `flush_before` flushes; that returns False if it has to wait."""

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
        """Whether something is to be sent with this turn."""
        return bool(self._messages)

    def add(self, message: object) -> None:
        """Send a message with the others of this turn."""
        messages = self._messages
        if not messages:
            self._loop.call_soon(self._end_turn)
        messages.append(message)

    def add_whole(self, message: object, most: int) -> int:
        """The same for one that may be long, or of which it is not certain that it can be encoded: it is encoded now.
        Returns its size in bytes; beyond `most` nothing is sent."""
        encoded = encode(message)
        size = len(encoded)
        if size <= most:
            if self._size + size > FULL:
                self.flush()
            self.add(Raw(encoded))
            self._size += size
        return size

    def _end_turn(self) -> None:
        if self._messages and not self.flush():
            self._loop.call_later(WAIT_SECONDS, self._end_turn)

    def flush(self) -> bool:
        """Send what there is now; False if that has to wait."""
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
