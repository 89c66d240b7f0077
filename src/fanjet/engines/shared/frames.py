"""How messages travel over a socket: those of one turn of the loop together, as an array with its length before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from msgspec import MsgspecError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

MOST_IN_FRAME: Final = 256 * 1024 * 1024
"""Bytes of a frame, and so of a message."""
FULL: Final = 256 * 1024
"""Bytes that are worth a frame: more do not wait for the turn to end."""

_LENGTH: Final = 4
_ARRAY: Final = b"\xdd"
"""MessagePack: an array, its number of elements in four bytes."""
_HEAD: Final = len(_ARRAY) + 4

T = TypeVar("T")


class MalformedFrame(Exception):  # noqa: N818 (says what is wrong)
    """Bytes that are no frame, or too many."""


class FrameReader(Generic[T]):
    """Bytes in, messages out. `decode` reads the array of a frame."""

    __slots__ = ("_decode", "_rest")

    def __init__(self, decode: Callable[[memoryview], list[T]]) -> None:
        self._decode = decode
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[T]:
        """The messages that are complete now. Raises `MalformedFrame`."""
        rest = self._rest
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
                messages += self._read(view[begin:end])
                start = end
        del rest[:start]
        return messages

    def _read(self, frame: memoryview) -> list[T]:
        try:
            with frame:
                return self._decode(frame)
        except MsgspecError as error:
            raise MalformedFrame(str(error)) from error


class FrameWriter:
    """Collects encoded messages and hands frames to `send`."""

    __slots__ = ("_call_soon", "_messages", "_scheduled", "_send", "_size")

    def __init__(self, loop: AbstractEventLoop, send: Callable[[bytes], None]) -> None:
        self._call_soon = loop.call_soon
        self._send = send
        self._messages: list[bytes] = []
        self._size = 0
        self._scheduled = False

    def add(self, message: bytes) -> None:
        """Send a message, together with the others of this turn of the loop."""
        if not self._scheduled:
            self._scheduled = True
            self._call_soon(self._end_turn)
        self._messages.append(message)
        self._size += len(message)
        if self._size > FULL:
            self.flush()

    def flush(self) -> None:
        """Send what there is now."""
        messages = self._messages
        if not messages:
            return
        head = (self._size + _HEAD).to_bytes(_LENGTH, "big") + _ARRAY + len(messages).to_bytes(4, "big")
        self._messages = []
        self._size = 0
        self._send(b"".join((head, *messages)))

    def _end_turn(self) -> None:
        self._scheduled = False
        self.flush()
