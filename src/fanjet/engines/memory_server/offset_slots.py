"""Which streams have a place where workers give their offsets: see `Tops`."""

from __future__ import annotations

from itertools import count

from msgspec import Struct

from .offset_table import MOST_PLACES


class Place(Struct, eq=False):
    """Of one stream, as long as that exists."""

    number: int
    generation: int
    is_open: bool = False
    """Whether workers may give offsets there."""


class Places:
    """Given away by the engine."""

    def __init__(self) -> None:
        self._by_channel: dict[str, Place] = {}
        self._free: list[int] = []
        self._generations = count(1)

    def find(self, channel: str) -> Place | None:
        """That of this channel's stream, if it has one."""
        return self._by_channel.get(channel)

    def take(self, channel: str) -> Place | None:
        """One for the stream of this channel, which has none; None if there is none left."""
        taken = len(self._by_channel)
        if taken == MOST_PLACES:
            return None
        number = self._free.pop() if self._free else taken
        place = self._by_channel[channel] = Place(number, next(self._generations))
        return place

    def free(self, channel: str) -> None:
        """The stream is gone; its place, if it had one, has been closed."""
        place = self._by_channel.pop(channel, None)
        if place is not None:
            self._free.append(place.number)
