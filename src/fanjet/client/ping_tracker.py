"""Tracks outstanding pings and disconnects clients without a pong (01 §5.4)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from fanjet.net.timing_wheel import NOT_SCHEDULED

if TYPE_CHECKING:
    from fanjet.net.timing_wheel import TimingWheel

MAX_CLOSED_PER_TURN: Final = 200
"""Sessions closed in one turn of the event loop."""
MAX_LATENESS: Final = 1.0
"""Seconds. A timer later than this means that the process was suspended: pongs may be unread."""


class PingedSession(Protocol):
    """What the tracker needs of a session."""

    def on_pong_timeout(self, until: float) -> bool:
        """Disconnect if the pong due at `until` has not arrived.

        Returns whether it did so.
        """


class PingTracker:
    """Recently pinged sessions, in order of their ping.

    All have the same pong timeout, so that one timer, for the first session, serves all. A session that has answered
    stays in the queue: moving it within the timing wheel for every pong would be a fifth of an idle connection's cost
    outside the kernel.
    """

    __slots__ = ("_is_deferred", "_pinged", "_wheel", "wheel_slot")

    def __init__(self, wheel: TimingWheel) -> None:
        self._wheel = wheel
        self._pinged: deque[tuple[float, PingedSession]] = deque()
        self._is_deferred = False
        self.wheel_slot = NOT_SCHEDULED

    def expect(self, session: PingedSession, until: float) -> None:
        """Add a pinged session, whose pong is due at `until`.

        `until` is in monotonic seconds, and not before that of the sessions added earlier.
        """
        self._pinged.append((until, session))
        if self.wheel_slot == NOT_SCHEDULED:
            self._wheel.schedule(self, until)

    def on_timer(self, now: float) -> None:
        """Disconnect sessions without a pong.

        After a suspension, this is not done before received data has been read.
        """
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
