"""Items that all may wait equally long, in one place of the timing wheel."""

from itertools import islice
from typing import Protocol

from .timing_wheel import NOT_SCHEDULED, TimingWheel

MAX_PER_TURN = 200
"""Items whose time is up in one turn of the loop."""


class QueueItem(Protocol):
    """What stands in line; compared by identity."""

    def on_timer(self, now: float) -> None:
        """The time is up; the item is not in the line any more."""


class TimeoutQueue:
    """Items in the order in which they came, so that the first is always the next whose time is up.

    For those that nearly all leave before: a place in the wheel for each is 7000 instructions, a place here 600.
    """

    __slots__ = ("_deadlines", "_wheel", "wheel_slot")

    def __init__(self, wheel: TimingWheel) -> None:
        self._wheel = wheel
        self._deadlines: dict[QueueItem, float] = {}
        self.wheel_slot = NOT_SCHEDULED

    def add(self, item: QueueItem, until: float) -> None:
        """Begin to wait, no shorter than those who came before."""
        self._deadlines[item] = until
        if self.wheel_slot == NOT_SCHEDULED:
            self._wheel.schedule(self, until)

    def discard(self, item: QueueItem) -> None:
        """Nothing happens when the item does not wait here."""
        self._deadlines.pop(item, None)

    def on_timer(self, now: float) -> None:
        """Tell those whose time is up."""
        for item, until in list(islice(self._deadlines.items(), MAX_PER_TURN)):
            if until > now:
                break
            if self._deadlines.pop(item, None) is not None:  # else it has left meanwhile
                item.on_timer(now)
        if self._deadlines and self.wheel_slot == NOT_SCHEDULED:
            self._wheel.schedule(self, next(iter(self._deadlines.values())))
