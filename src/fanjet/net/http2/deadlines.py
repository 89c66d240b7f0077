"""The timeouts of one connection, in one entry of the timing wheel."""

from typing import TYPE_CHECKING, Final

from ..timing_wheel import NOT_SCHEDULED, TimingWheel
from .keepalive import NEVER, ConnectionTimeouts

if TYPE_CHECKING:
    from .connection import Http2Connection

LINGER_SECONDS: Final = 0.5
CLOSE_SECONDS: Final = 10.0


class Deadlines:
    """Tracks all deadlines of a connection.

    Calls the connection's `abort`, `expire` or `ping` when one passes.
    """

    __slots__ = (
        "_abort_at",
        "_connection",
        "_headers_until",
        "_idle_until",
        "_pinged_at",
        "_received_at",
        "_scheduled_for",
        "_timeouts",
        "_wheel",
        "_write_until",
        "wheel_slot",
    )

    def __init__(self, wheel: TimingWheel, connection: "Http2Connection", timeouts: ConnectionTimeouts) -> None:
        self._wheel = wheel
        self._connection = connection
        self._timeouts = timeouts
        self._abort_at = NEVER  # the client's settings, or the peer's close
        self._idle_until = NEVER
        self._headers_until = NEVER
        self._write_until = NEVER
        self._received_at = wheel.clock()
        self._pinged_at = NEVER  # when the unanswered ping was sent
        self._scheduled_for = NEVER  # the time known to the wheel: never later than the first deadline
        self.wheel_slot = NOT_SCHEDULED

    def connected(self) -> None:
        """Wait for the client's preface and settings."""
        self._abort_at = self._wheel.clock() + self._timeouts.setup
        self.idle()

    def established(self) -> None:
        """The client's settings were received."""
        self._abort_at = NEVER

    def idle(self) -> None:
        """No stream is open."""
        self._idle_until = self._wheel.clock() + self._timeouts.idle
        self._schedule()

    def busy(self) -> None:
        """A stream is open."""
        self._idle_until = NEVER

    def received(self, *, in_header_block: bool) -> None:
        """Data was received."""
        self._received_at = self._wheel.clock()
        self._pinged_at = NEVER
        if not in_header_block:
            self._headers_until = NEVER
        elif self._headers_until == NEVER:
            self._headers_until = self._received_at + self._timeouts.headers
            self._schedule()

    def write_blocked(self) -> None:
        """The socket's write buffer is full."""
        self._write_until = self._wheel.clock() + self._timeouts.write
        self._schedule()

    def writable(self) -> None:
        """The write buffer has drained."""
        self._write_until = NEVER

    def closing(self, *, lingers: bool) -> None:
        """Wait only for the end: of our output, or (`lingers`) for the client to close."""
        self._idle_until = self._headers_until = NEVER
        self._abort_at = self._wheel.clock() + (LINGER_SECONDS if lingers else CLOSE_SECONDS)
        self._schedule()

    def cancel(self) -> None:
        """The connection is lost."""
        self._wheel.cancel(self)

    def on_timer(self, now: float) -> None:
        """Handle the deadlines that have passed."""
        self._scheduled_for = NEVER
        if now >= min(self._abort_at, self._headers_until, self._write_until):
            self._connection.abort()
            return
        if now >= self._pinged_at + self._timeouts.keepalive_timeout:
            self._connection.abort()
            return
        if now >= self._idle_until:
            self._idle_until = NEVER
            self._connection.expire()
        elif self._pinged_at == NEVER and now >= self._received_at + self._timeouts.keepalive:
            self._pinged_at = now
            self._connection.ping()
        self._schedule()

    def _schedule(self) -> None:
        """Schedule the first deadline.

        One moved later is not rescheduled: the wheel checks again when the old one fires.
        """
        alive = (
            self._received_at + self._timeouts.keepalive
            if self._pinged_at == NEVER
            else self._pinged_at + self._timeouts.keepalive_timeout
        )
        nearest = min(self._abort_at, self._headers_until, self._write_until, self._idle_until, alive)
        if nearest < self._scheduled_for:
            self._scheduled_for = nearest
            self._wheel.schedule(self, nearest)
