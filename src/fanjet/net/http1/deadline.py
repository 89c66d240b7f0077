"""The deadline of a connection, for whatever it waits: one entry of the timing wheel."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Final

from ..timing_wheel import NOT_SCHEDULED

if TYPE_CHECKING:
    from ..timing_wheel import TimingWheel

NEVER: Final = float("inf")


class ConnectionDeadline:
    """What is aborted when its deadline passes.

    The wheel need not know of a later deadline than the one it has, since it asks again then: that is why requests do
    not move a connection about in it.
    """

    __slots__ = ("_deadline", "_scheduled_for", "_wheel", "wheel_slot")

    def __init__(self, wheel: "TimingWheel") -> None:
        self._wheel = wheel
        self._deadline = NEVER
        self._scheduled_for = NEVER  # what the wheel, or whoever else looks after it, knows: never later than that
        self.wheel_slot = NOT_SCHEDULED

    @abstractmethod
    def abort(self) -> None:
        """Give up without a word."""

    def on_timer(self, now: float) -> None:
        """For the wheel: abort if the deadline still stands."""
        self._scheduled_for = NEVER
        if now >= self._deadline:
            self.abort()
        elif self._deadline < NEVER:
            self._set_deadline(self._deadline)

    def _set_timeout(self, seconds: float) -> None:
        self._set_deadline(self._wheel.clock() + seconds)

    def _set_deadline(self, deadline: float) -> None:
        self._deadline = deadline
        if deadline < self._scheduled_for:
            self._schedule(deadline)

    def _schedule(self, deadline: float) -> None:
        self._scheduled_for = deadline
        self._wheel.schedule(self, deadline)

    def _clear_deadline(self) -> None:
        self._wheel.cancel(self)
        self._scheduled_for = NEVER
