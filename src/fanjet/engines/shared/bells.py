"""How those who read the journal are called: by a byte in a pipe with a name, if they have not been called yet."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from .journal import FAR_BEHIND

if TYPE_CHECKING:
    from collections.abc import Collection

    from .seats import Seats

_MUCH: Final = 4096


def bell_at(prefix: str, seat: int) -> str:
    """The path of the pipe of a seat."""
    return f"{prefix}{seat}"


class Bell:
    """One's own, hung by the engine."""

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # to write as well, so that it never ends

    def take(self) -> None:
        """What was rung has been heard."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.descriptor, _MUCH)

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

    def ring(self, buckets: Collection[int], end: int, without: Collection[int]) -> None:
        """Call those who wait for channels of these buckets, since something has been appended up to `end`, but for
        those who read it anyway."""
        seats = self._seats
        for seat in seats:
            generation = seats.generation(seat)
            if (
                generation
                and seat not in without
                and (seats.waits_for(seat, buckets) or end - seats.position(seat) > FAR_BEHIND)
                and seats.call(seat)
            ):
                self._ring_one(seat, generation)

    def _ring_one(self, seat: int, generation: int) -> None:
        known = self._known.get(seat)
        if known is not None and known[0] != generation:
            os.close(self._known.pop(seat)[1])
            known = None
        with contextlib.suppress(OSError):  # it is gone, or has not got as far as to listen: then it reads anyway
            if known is None:
                descriptor = os.open(bell_at(self._prefix, seat), os.O_WRONLY | os.O_NONBLOCK)
                known = self._known[seat] = (generation, descriptor)
            os.write(known[1], b"\0")

    def close(self) -> None:
        """Ring no more."""
        for _, descriptor in self._known.values():
            os.close(descriptor)
        self._known.clear()
