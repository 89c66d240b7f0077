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
"""Bytes of a frame, if it has more than one message."""

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

    __slots__ = ("_call_soon", "_messages", "_send")

    def __init__(self, loop: AbstractEventLoop, send: Callable[[bytes], None]) -> None:
        self._call_soon = loop.call_soon
        self._send = send
        self._messages: list[bytes] = []

    def add(self, message: bytes) -> None:
        """Send a message, together with the others of this turn of the loop."""
        messages = self._messages
        if not messages:
            self._call_soon(self.flush)
        messages.append(message)

    def flush(self) -> None:
        """Send what there is now."""
        messages, self._messages = self._messages, []
        size = sum(map(len, messages))
        if size > FULL:
            self._send_frames(messages)
        elif messages:
            self._send_frame(messages, size)

    def _send_frames(self, messages: list[bytes]) -> None:
        start = size = 0
        for end, message in enumerate(messages):
            if size and size + len(message) > FULL:
                self._send_frame(messages[start:end], size)
                start, size = end, 0
            size += len(message)
        self._send_frame(messages[start:], size)

    def _send_frame(self, messages: list[bytes], size: int) -> None:
        head = (size + _HEAD).to_bytes(_LENGTH, "big") + _ARRAY + len(messages).to_bytes(4, "big")
        self._send(b"".join((head, *messages)))
