"""How the process is doing, measured only while somebody looks."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROBE_SECONDS: Final = 0.2
SAMPLE_SECONDS: Final = 2.0
KEPT: Final = 450
"""Samples, 15 minutes of them."""
WATCHED_SECONDS: Final = 60.0
"""How long measuring goes on after somebody has looked."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Sample(Struct, frozen=True, array_like=True):
    """One moment. `time` in Unix seconds, `lag` in milliseconds: the longest that the event loop was late since the
    moment before; `cpu` in percent of one core, `memory` in bytes; the rest are counts, `messages` and `publications`
    per second (negative where nothing counts them)."""

    time: float
    clients: int
    subscriptions: int
    channels: int
    lag: float
    cpu: float
    memory: int
    messages: float
    publications: float


class Vitals:
    """Takes samples while it is asked for them. `count`: clients, subscriptions and channels as of now; `totals`: how
    many messages have been sent and publications received so far, where that is counted."""

    def __init__(self, count: Callable[[], tuple[int, int, int]], totals: Callable[[], Mapping[str, float]]) -> None:
        self._count = count
        self._totals = totals
        self._samples: deque[Sample] = deque(maxlen=KEPT)
        self._timer: asyncio.TimerHandle | None = None
        self._asked_at = 0.0
        self._due = 0.0
        self._lag = 0.0
        self._taken_at = 0.0
        self._cpu = 0.0
        self._last_totals: Mapping[str, float] = {}

    def since(self, moment: float) -> list[Sample]:
        """The samples after a moment (Unix seconds); from now on there are more."""
        loop = asyncio.get_running_loop()
        self._asked_at = loop.time()
        if self._timer is None:
            self._begin(loop)
        return [sample for sample in self._samples if sample.time > moment]

    @property
    def last(self) -> Sample | None:
        """The last sample, if one was taken."""
        return self._samples[-1] if self._samples else None

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """What was measured before the pause says nothing about the time since."""
        self._lag = 0.0
        self._taken_at = loop.time()
        self._cpu = time.process_time()
        self._last_totals = self._totals()
        self._schedule(loop)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + PROBE_SECONDS
        self._timer = loop.call_at(self._due, self._probe, loop)

    def _probe(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self._lag = max(self._lag, now - self._due)
        if now - self._taken_at >= SAMPLE_SECONDS:
            self._take(now)
        if now - self._asked_at > WATCHED_SECONDS:
            self._timer = None
            self._samples.clear()
        else:
            self._schedule(loop)

    def _take(self, now: float) -> None:
        passed = now - self._taken_at
        cpu = time.process_time()
        totals = self._totals()
        self._samples.append(
            Sample(
                round(time.time(), 3),
                *self._count(),
                lag=round(self._lag * 1000, 2),
                cpu=round((cpu - self._cpu) / passed * 100, 1),
                memory=resident_memory(),
                messages=self._rate(totals, "messages", passed),
                publications=self._rate(totals, "publications", passed),
            )
        )
        self._taken_at, self._cpu, self._lag, self._last_totals = now, cpu, 0.0, totals

    def _rate(self, totals: Mapping[str, float], name: str, passed: float) -> float:
        if name not in totals:
            return -1.0
        return round((totals[name] - self._last_totals.get(name, 0.0)) / passed, 2)


def resident_memory() -> int:
    """Bytes of memory that the process holds; where the system does not tell, the most that it ever held."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        import resource  # noqa: PLC0415 (not on every system)

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
