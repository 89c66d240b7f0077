"""Timeouts of HTTP/2 connections, and limits of client pings."""

from dataclasses import dataclass
from typing import Final

NEVER: Final = float("inf")

MAX_PING_STRIKES: Final = 2
IDLE_PING_SECONDS: Final = 7200.0
"""Minimal interval of pings without an open stream, where pings are limited."""


@dataclass(frozen=True, slots=True)
class ConnectionTimeouts:
    """Timeouts in seconds, `NEVER` for none.

    The defaults are those of HTTP (02 section 3.1).
    """

    setup: float = 10.0
    """For the preface and the client's first settings."""
    headers: float = 10.0
    """For an incomplete header block."""
    idle: float = 30.0
    """Without any stream."""
    write: float = 10.0
    """While the socket's write buffer is full."""
    keepalive: float = NEVER
    """Without data from the client, after which it is pinged."""
    keepalive_timeout: float = NEVER
    """Without data from the client after the ping, after which the connection is aborted."""
    ping_interval: float = 0.0
    """Minimal interval of client pings. More than two early ones close the connection; 0: only the flood limit."""


class PingLimiter:
    """Counts early pings of a client.

    Responses reset the count: they are a valid reason to ping.
    """

    __slots__ = ("_forgiven", "_interval", "_last", "_strikes")

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._last = -IDLE_PING_SECONDS
        self._strikes = 0
        self._forgiven = False

    def reset_strikes(self) -> None:
        """A response was sent."""
        self._forgiven = True

    def allows(self, now: float, *, busy: bool) -> bool:
        """Whether a ping at `now` is within the limit; `busy`: a stream is open."""
        if not self._interval:
            return True
        last, self._last = self._last, now
        if self._forgiven:
            self._forgiven = False
            self._strikes = 0
        elif now < last + (self._interval if busy else IDLE_PING_SECONDS):
            self._strikes += 1
        return self._strikes <= MAX_PING_STRIKES
