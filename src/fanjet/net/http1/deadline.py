"""The deadline of a connection: one entry of the timing wheel."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Final

from ..timing_wheel import NOT_SCHEDULED

if TYPE_CHECKING:
    from ..timing_wheel import TimingWheel

NEVER: Final = float("inf")


class ConnectionDeadline:
    """A connection that is aborted when its deadline passes.

    A deadline moved later is not rescheduled: the wheel checks again when the old one fires. So requests do not move a
    connection about in the wheel.
    """

    __slots__ = ("_deadline", "_scheduled_for", "_wheel", "wheel_slot")

    def __init__(self, wheel: "TimingWheel") -> None:
        self._wheel = wheel
        self._deadline = NEVER
        self._scheduled_for = NEVER  # what the wheel or the timeout queue knows: never later than the deadline
        self.wheel_slot = NOT_SCHEDULED

    @abstractmethod
    def abort(self) -> None:
        """Abort the connection."""

    def on_timer(self, now: float) -> None:
        """For the wheel: abort if the deadline has passed."""
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
