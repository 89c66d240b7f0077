"""A session's deadlines, of which the nearest is in the timing wheel.

See DESIGN rule 6.
"""

from __future__ import annotations

from math import inf
from random import random

from msgspec import Struct

GRID_STEPS = 25
COARSEST_GRID = 1.0
"""Seconds, which applies to pings every 25 s."""


class Deadlines(Struct, eq=False, gc=False):
    """Due times in monotonic seconds; `inf` for never.

    A struct, since each connection creates one.
    """

    ping: float = inf
    pong: float = inf
    periodic: float = inf
    expiry: float = inf
    write: float = inf

    def nearest(self) -> float:
        """The earliest deadline, except for the pong's, which `PingTracker` watches."""
        return min(self.ping, self.periodic, self.expiry, self.write)


def first_time(now: float, interval: float) -> float:
    """Return the first due time of work done every `interval` seconds.

    It is random in the second half of the first interval, so that sessions that connected together drift apart
    (01 §5.4, §5.6), and rounded to a grid.

    Sessions with equal due times are woken, pinged and answer together, which halves the cost of 5000 idle
    connections.
    """
    grid = interval / GRID_STEPS if interval < GRID_STEPS * COARSEST_GRID else COARSEST_GRID
    half = interval / 2
    earliest = now + half
    when = (earliest + random() * half) // grid * grid
    return when if when >= earliest else when + grid
