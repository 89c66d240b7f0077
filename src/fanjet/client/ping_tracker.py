"""Clients that were pinged and have not answered yet (01 §5.4)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from fanjet.net.timing_wheel import NOT_SCHEDULED

if TYPE_CHECKING:
    from fanjet.net.timing_wheel import TimingWheel

MAX_CLOSED_PER_TURN: Final = 200
"""Sessions that are closed in one turn of the loop."""
MAX_LATENESS: Final = 1.0
"""So late only who did not run at all: pongs may lie unread."""


class PingedSession(Protocol):
    """What the tracker needs of a session."""

    def on_pong_timeout(self, until: float) -> bool:
        """Disconnect if the pong due at `until` has not arrived; returns whether it did so."""


class PingTracker:
    """The sessions that were pinged lately, in that order.

    All have equally long to answer, so that one place in the timing wheel, for the first of them, does for all. Who
    answers stays in line: to move a session about in the wheel for every pong would be a fifth of what an idle
    connection costs outside the kernel.
    """

    __slots__ = ("_is_deferred", "_pinged", "_wheel", "wheel_slot")

    def __init__(self, wheel: TimingWheel) -> None:
        self._wheel = wheel
        self._pinged: deque[tuple[float, PingedSession]] = deque()
        self._is_deferred = False
        self.wheel_slot = NOT_SCHEDULED

    def expect(self, session: PingedSession, until: float) -> None:
        """The session was pinged and has until then, in monotonic seconds, no shorter than those before."""
        self._pinged.append((until, session))
        if self.wheel_slot == NOT_SCHEDULED:
            self._wheel.schedule(self, until)

    def on_timer(self, now: float) -> None:
        """Close those who have not answered; after a sleep, not before what came meanwhile has been read."""
        pinged = self._pinged
        if now - pinged[0][0] > MAX_LATENESS and not self._is_deferred:
            self._is_deferred = True
            self._wheel.schedule(self, now)
            return
        self._is_deferred = False
        closed = 0
        while pinged and pinged[0][0] <= now and closed < MAX_CLOSED_PER_TURN:
            until, session = pinged.popleft()
            closed += session.on_pong_timeout(until)
        if pinged and self.wheel_slot == NOT_SCHEDULED:
            self._wheel.schedule(self, pinged[0][0])
