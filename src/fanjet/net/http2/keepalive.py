"""How long a server waits for the clients of its connections, and how often they may ask whether it is there."""

from dataclasses import dataclass
from typing import Final

NEVER: Final = float("inf")

MAX_PING_STRIKES: Final = 2
IDLE_PING_SECONDS: Final = 7200.0
"""Between pings of a client that has no stream open, where pings are limited."""


@dataclass(frozen=True, slots=True)
class ConnectionTimeouts:
    """Seconds, `NEVER` for no limit. The defaults are those of HTTP (02 section 3.1)."""

    setup: float = 10.0
    """For the preface and the client's first settings."""
    headers: float = 10.0
    """For a header block that has begun."""
    idle: float = 30.0
    """Without any stream."""
    write: float = 10.0
    """While the socket takes nothing."""
    keepalive: float = NEVER
    """Without a byte from the client, after which it is pinged."""
    keepalive_timeout: float = NEVER
    """Without a byte from the client after the ping, after which the connection is dropped."""
    ping_interval: float = 0.0
    """Between pings of the client. More than two that come earlier end the connection; 0: no limit but the flood's."""


class PingLimiter:
    """Counts a client's pings that come too early. Responses are a good reason to ping: they clear the count."""

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
        """Whether a ping at `now` is not one too many; `busy`: some stream is open."""
        if not self._interval:
            return True
        last, self._last = self._last, now
        if self._forgiven:
            self._forgiven = False
            self._strikes = 0
        elif now < last + (self._interval if busy else IDLE_PING_SECONDS):
            self._strikes += 1
        return self._strikes <= MAX_PING_STRIKES
