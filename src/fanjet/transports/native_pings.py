"""Native WebSocket pings: the debugging aid `cf_ws_frame_ping_pong=true`.

02 §6.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fanjet.net.timing_wheel import NOT_SCHEDULED

if TYPE_CHECKING:
    from fanjet.net.timing_wheel import TimingWheel

DEFAULT_INTERVAL = 25.0
DEFAULT_TIMEOUT = 10.0


class PingTarget(Protocol):
    """The connection to keep alive."""

    def send_ping_frame(self) -> None:
        """Send a ping frame."""

    def abort(self) -> None:
        """Close the connection without a close frame."""


class NativePings:
    """Pings every `interval` seconds and aborts unresponsive connections.

    Those are connections that send no pong in time. Zero selects the default.
    """

    __slots__ = ("_connection", "_deadline", "_interval", "_next_ping", "_timeout", "_wheel", "wheel_slot")

    def __init__(self, connection: PingTarget, wheel: TimingWheel, interval: float, timeout: float) -> None:
        self._connection = connection
        self._wheel = wheel
        self._interval = interval or DEFAULT_INTERVAL
        self._timeout = timeout or DEFAULT_TIMEOUT
        self.wheel_slot = NOT_SCHEDULED
        now = wheel.clock()
        self._next_ping = now + self._interval
        self._deadline = now + self._interval + self._timeout
        self._arm()

    def on_pong(self) -> None:
        """A pong frame was received."""
        self._deadline = self._wheel.clock() + self._interval + self._timeout

    def stop(self) -> None:
        """The connection has ended."""
        self._wheel.cancel(self)

    def on_timer(self, now: float) -> None:
        """Send a ping, or abort after a pong timeout."""
        if now >= self._deadline:
            self._connection.abort()
            return
        if now >= self._next_ping:
            self._next_ping += self._interval
            self._deadline = now + self._timeout
            self._connection.send_ping_frame()
        self._arm()

    def _arm(self) -> None:
        self._wheel.schedule(self, min(self._next_ping, self._deadline))
