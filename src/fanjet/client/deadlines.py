"""A session's deadlines: one place in the timing wheel, at the nearest of them (DESIGN rule 6)."""

from __future__ import annotations

from math import inf
from random import uniform
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .settings import ClientSettings


class Deadlines:
    """When something is due, in monotonic seconds; `inf` for never."""

    __slots__ = ("expiry", "ping", "pong", "stale", "tick", "write")

    def __init__(self) -> None:
        self.stale = inf
        self.ping = inf
        self.pong = inf
        self.tick = inf
        self.expiry = inf
        self.write = inf

    def start_connected(self, now: float, settings: ClientSettings, *, pings: bool) -> None:
        """The connect succeeded: first ping and tick at random, so that sessions that came together drift apart
        (01 §5.4, §5.6)."""
        self.stale = inf
        if pings and settings.ping_interval:
            self.ping = now + uniform(settings.ping_interval / 2, settings.ping_interval)
        self.tick = now + uniform(settings.presence_update_interval / 2, settings.presence_update_interval)

    def nearest(self) -> float:
        """The earliest of all."""
        return min(self.stale, self.ping, self.pong, self.tick, self.expiry, self.write)
