"""Allocates slots of the offset table to streams.

With a slot, workers can assign the offsets of a stream (see `OffsetTable`).
"""

from __future__ import annotations

from itertools import count

from msgspec import Struct

from .offset_table import MAX_OFFSET_SLOTS


class OffsetSlot(Struct, eq=False):
    """The slot of one stream, for the lifetime of the stream."""

    number: int
    generation: int
    is_open: bool = False
    """Whether workers may assign offsets there."""


class OffsetSlots:
    """The engine's allocation of slots."""

    def __init__(self) -> None:
        self._by_channel: dict[str, OffsetSlot] = {}
        self._free: list[int] = []
        self._generations = count(1)

    def find(self, channel: str) -> OffsetSlot | None:
        """The slot of this channel's stream, if it has one."""
        return self._by_channel.get(channel)

    def allocate(self, channel: str) -> OffsetSlot | None:
        """Allocate a slot to the stream of this channel, which has none.

        None if no slot is free.
        """
        used = len(self._by_channel)
        if used == MAX_OFFSET_SLOTS:
            return None
        number = self._free.pop() if self._free else used
        slot = self._by_channel[channel] = OffsetSlot(number, next(self._generations))
        return slot

    def free(self, channel: str) -> None:
        """Free the slot of a stream that has been removed.

        The slot, if there was one, has been closed before.
        """
        slot = self._by_channel.pop(channel, None)
        if slot is not None:
            self._free.append(slot.number)
