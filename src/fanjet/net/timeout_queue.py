"""A FIFO of items with the same timeout, driven by one timing wheel entry."""

from itertools import islice
from typing import Protocol

from .timing_wheel import NOT_SCHEDULED, TimingWheel

MAX_PER_TURN = 200
"""Items that expire in one turn of the event loop at most."""


class QueueItem(Protocol):
    """An item of the queue; compared by identity."""

    def on_timer(self, now: float) -> None:
        """The timeout has expired; the item has left the queue."""


class TimeoutQueue:
    """Items in order of arrival, so that the first one expires first.

    For items that are nearly always discarded before they expire: a wheel entry for each costs 7000 instructions, an
    entry here 600.
    """

    __slots__ = ("_deadlines", "_wheel", "wheel_slot")

    def __init__(self, wheel: TimingWheel) -> None:
        self._wheel = wheel
        self._deadlines: dict[QueueItem, float] = {}
        self.wheel_slot = NOT_SCHEDULED

    def add(self, item: QueueItem, until: float) -> None:
        """Add an item. `until` must not be before that of earlier items."""
        self._deadlines[item] = until
        if self.wheel_slot == NOT_SCHEDULED:
            self._wheel.schedule(self, until)

    def discard(self, item: QueueItem) -> None:
        """Remove an item; ignored if it is not in the queue."""
        self._deadlines.pop(item, None)

    def on_timer(self, now: float) -> None:
        """Expire the items that are due."""
        for item, until in list(islice(self._deadlines.items(), MAX_PER_TURN)):
            if until > now:
                break
            if self._deadlines.pop(item, None) is not None:  # else it was discarded meanwhile
                item.on_timer(now)
        if self._deadlines and self.wheel_slot == NOT_SCHEDULED:
            self._wheel.schedule(self, next(iter(self._deadlines.values())))
