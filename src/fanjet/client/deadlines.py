"""A session's deadlines: one place in the timing wheel, at the nearest of them (DESIGN rule 6)."""

from __future__ import annotations

from math import inf
from random import random

from msgspec import Struct

GRID_STEPS = 25
COARSEST_GRID = 1.0
"""Seconds; with pings every 25 s."""


class Deadlines(Struct, eq=False, gc=False):
    """When something is due, in monotonic seconds; `inf` for never. A struct, as each connection makes one."""

    ping: float = inf
    pong: float = inf
    periodic: float = inf
    expiry: float = inf
    write: float = inf

    def nearest(self) -> float:
        """The earliest of those that the session watches by itself, which are all but that of the pong."""
        return min(self.ping, self.periodic, self.expiry, self.write)


def first_time(now: float, interval: float) -> float:
    """When to do for the first time what is done every `interval` seconds: at random in the second half of the one that
    begins now, so that sessions that came together drift apart (01 §5.4, §5.6), on a grid.

    Sessions that share a time are woken, pinged and answer together: at 5000 idle connections that halves their cost.
    """
    grid = interval / GRID_STEPS if interval < GRID_STEPS * COARSEST_GRID else COARSEST_GRID
    half = interval / 2
    earliest = now + half
    when = (earliest + random() * half) // grid * grid
    return when if when >= earliest else when + grid
