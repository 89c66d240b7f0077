"""A timing wheel: all deadlines of all connections on one event loop timer."""

import asyncio
import heapq
import logging
import time
from collections import deque
from collections.abc import Callable
from math import floor
from typing import Final, Protocol

NOT_SCHEDULED = -1
"""Value of `wheel_slot` of an item that the wheel does not hold."""

NEVER = 1 << 62
"""A slot number later than any other."""

SPARE_NUMBERS = 1000
"""Numbers of emptied slots kept before the heap is rebuilt."""

SLICE_ITEMS = 200
SLICE_SECONDS = 0.002

ROUNDING = 0.001
"""Seconds added to the loop's timer: its clock counts milliseconds, and a wake-up just before the slot would be
useless."""

RESOLUTION: Final = 0.05

log = logging.getLogger(__name__)


def next_second(loop: asyncio.AbstractEventLoop) -> float:
    """When a wheel fires the items due at the next whole second.

    On the clock of `loop`. Periodic work aligned with it shares one wake-up with the pings of idle connections, which
    are due at whole seconds.
    """
    late = RESOLUTION + ROUNDING
    return floor(loop.time() - late) + 1 + late


class WheelItem(Protocol):
    """An item of the wheel; compared by identity.

    `wheel_slot` starts as `NOT_SCHEDULED` and is owned by the wheel.
    """

    wheel_slot: int

    def on_timer(self, now: float) -> None:
        """Handle that the deadline has passed.

        The item is no longer scheduled and may reschedule itself.
        """


class TimingWheel:
    """Holds each item at most once, at its deadline, in slots of `resolution` seconds.

    Scheduling and cancelling are O(1) and create no handle. An item fires at its deadline or up to one resolution
    later, never earlier; within a slot, items fire in order of scheduling. Times are seconds on `clock`. The loop wakes
    only for non-empty slots: a wake-up costs 70 µs on an idle machine.
    """

    __slots__ = (
        "_armed_for",
        "_cursor",
        "_due",
        "_handle",
        "_loop",
        "_numbers",
        "_slots",
        "_slots_per_second",
        "clock",
        "resolution",
    )

    def __init__(self, clock: Callable[[], float] = time.monotonic, resolution: float = RESOLUTION) -> None:
        self.clock = clock
        self.resolution = resolution
        self._slots_per_second = 1.0 / resolution
        self._cursor = int(clock() * self._slots_per_second)
        self._slots: dict[int, dict[WheelItem, None]] = {}
        self._numbers: list[int] = []  # heap of the slots' numbers, those of emptied slots included
        self._armed_for: int | None = None
        self._due: deque[tuple[int, list[WheelItem]]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.Handle | None = None

    def schedule(self, item: WheelItem, when: float) -> None:
        """Fire `item` at `when`, replacing an earlier schedule.

        A `when` in the past fires on the next advance.
        """
        slot = floor(when * self._slots_per_second) + 1  # int() takes twice as long
        if slot < self._cursor:  # noqa: PLR1730 (max() costs three times as much)
            slot = self._cursor
        held_in = item.wheel_slot
        if held_in == slot:
            return
        if held_in != NOT_SCHEDULED:
            self._forget(item, held_in)
        item.wheel_slot = slot
        members = self._slots.get(slot)
        if members is None:
            self._open_slot(slot, item)
        else:
            members[item] = None

    def _open_slot(self, slot: int, item: WheelItem) -> None:
        self._slots[slot] = {item: None}
        heapq.heappush(self._numbers, slot)
        if len(self._numbers) > 2 * len(self._slots) + SPARE_NUMBERS:
            self._numbers = sorted(self._slots)
        if self._armed_for is not None and slot < self._armed_for:
            self._arm()

    def cancel(self, item: WheelItem) -> None:
        """Remove `item`; ignored if it is not scheduled."""
        held_in = item.wheel_slot
        if held_in != NOT_SCHEDULED:
            item.wheel_slot = NOT_SCHEDULED
            self._forget(item, held_in)

    def advance(self, now: float) -> bool:
        """Fire one slice of the items due at `now`.

        Returns True if some are left for the next call.
        """
        self._collect(int(now * self._slots_per_second))
        self._fire(now)
        return bool(self._due)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let `loop` drive the wheel until `stop`."""
        self._loop = loop
        self._tick()

    def stop(self) -> None:
        """Stop firing. Items stay scheduled."""
        self._loop = None
        self._armed_for = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _forget(self, item: WheelItem, slot: int) -> None:
        members = self._slots.get(slot)
        if members is not None:  # else the slot is firing, and the changed `wheel_slot` is enough
            members.pop(item, None)
            if not members:
                del self._slots[slot]

    def _collect(self, current: int) -> None:
        """Move the slots that have passed to the queue of due items."""
        slots = self._slots
        first = self._cursor
        if current < first or not slots:
            self._cursor = max(current, first)
            return
        if current - first < len(slots):
            passed = [slot for slot in range(first, current + 1) if slot in slots]
        else:  # after a jump of the clock (a suspended machine) most slot numbers are empty
            passed = sorted(slot for slot in slots if slot <= current)
        for slot in passed:
            self._due.append((slot, list(reversed(slots.pop(slot)))))
        self._cursor = current

    def _fire(self, now: float) -> None:
        due = self._due
        if not due:
            return
        give_up_at = time.monotonic() + SLICE_SECONDS
        for count in range(1, SLICE_ITEMS + 1):
            slot, members = due[0]
            item = members.pop()
            if not members:
                due.popleft()
            if item.wheel_slot == slot:  # neither cancelled nor moved since
                item.wheel_slot = NOT_SCHEDULED
                try:
                    item.on_timer(now)
                except Exception:
                    log.exception("deadline handler failed")
            if not due or (count % 16 == 0 and time.monotonic() > give_up_at):
                return

    def _tick(self) -> None:
        loop = self._loop
        if loop is None:
            return
        self._armed_for = None  # items scheduled while firing are handled below
        more = self.advance(self.clock())
        if self._loop is not loop:  # an item stopped the wheel
            return
        if more:
            self._handle = loop.call_soon(self._tick)
        else:
            self._handle = None
            self._arm()

    def _arm(self) -> None:
        """Schedule the loop's timer for the nearest slot."""
        loop = self._loop
        if loop is None:
            return
        if self._handle is not None:
            self._handle.cancel()
        numbers, slots = self._numbers, self._slots
        while numbers and numbers[0] not in slots:
            heapq.heappop(numbers)
        if not numbers:
            self._handle, self._armed_for = None, NEVER
            return
        self._armed_for = numbers[0]
        delay = numbers[0] * self.resolution - self.clock() + ROUNDING
        self._handle = loop.call_later(max(delay, 0.0), self._tick)
