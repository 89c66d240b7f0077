"""How those who read the journal are called: by a byte in a pipe with a name, if they have not been called yet."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from .journal import FAR_BEHIND

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from .reader_table import Seats

_MUCH: Final = 4096


def bell_at(prefix: str, seat: int) -> str:
    """The path of the pipe of a seat."""
    return f"{prefix}{seat}"


class Bell:
    """One's own, at a pipe that the engine has made."""

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # to write as well, so that it never ends

    def take(self) -> None:
        """What was rung has been heard."""
        try:
            os.read(self.descriptor, _MUCH)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Take it down."""
        os.close(self.descriptor)


class Bells:
    """Those of all others."""

    def __init__(self, seats: Seats, prefix: str) -> None:
        self._seats = seats
        self._prefix = prefix
        self._known: dict[int, tuple[int, int]] = {}
        """Generation and descriptor, by seat."""

    def ring(self, channels: Iterable[str], end: int, without: Collection[int]) -> None:
        """Call those who wait for any of these channels, since something has been appended up to `end`, but for
        those who read it anyway."""
        for seat, generation in self._seats.call(channels, end - FAR_BEHIND, without):
            self._ring_one(seat, generation)

    def _ring_one(self, seat: int, generation: int) -> None:
        known = self._known.get(seat)
        try:
            if known is None or known[0] != generation:
                known = self._open(seat, generation)
            os.write(known[1], b"\0")
        except OSError:
            return  # it is gone, or has not got as far as to listen: then it reads anyway

    def _open(self, seat: int, generation: int) -> tuple[int, int]:
        former = self._known.pop(seat, None)
        if former is not None:
            os.close(former[1])
        descriptor = os.open(bell_at(self._prefix, seat), os.O_WRONLY | os.O_NONBLOCK)
        known = self._known[seat] = (generation, descriptor)
        return known

    def close(self) -> None:
        """Ring no more."""
        for _, descriptor in self._known.values():
            os.close(descriptor)
        self._known.clear()
