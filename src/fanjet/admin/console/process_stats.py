"""Samples of CPU, memory and load of this process, taken only while they are read."""

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
MAX_SAMPLES: Final = 450
"""15 minutes of samples."""
IDLE_SECONDS: Final = 60.0
"""Sampling stops this long after the last read."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Sample(Struct, frozen=True, array_like=True):
    """One sample.

    `time` in Unix seconds; `lag` in milliseconds: the longest event loop delay since the previous sample; `cpu` in
    percent of one core; `memory` in bytes; the others are counts, `messages` and `publications` per second (negative
    when they are not counted).
    """

    time: float
    clients: int
    subscriptions: int
    channels: int
    lag: float
    cpu: float
    memory: int
    messages: float
    publications: float


class ProcessStats:
    """Takes samples while they are read.

    `read_counts` returns the current numbers of clients, subscriptions and channels; `read_totals` the messages sent
    and publications received so far, if metrics count them.
    """

    def __init__(
        self, read_counts: Callable[[], tuple[int, int, int]], read_totals: Callable[[], Mapping[str, float]]
    ) -> None:
        self._read_counts = read_counts
        self._totals = read_totals
        self._samples: deque[Sample] = deque(maxlen=MAX_SAMPLES)
        self._timer: asyncio.TimerHandle | None = None
        self._last_read_at = 0.0
        self._probe_due = 0.0
        self._lag = 0.0
        self._sampled_at = 0.0
        self._cpu = 0.0
        self._last_totals: Mapping[str, float] = {}

    def samples_since(self, since: float) -> list[Sample]:
        """Return the samples after `since` (Unix seconds) and keep sampling."""
        loop = asyncio.get_running_loop()
        self._last_read_at = loop.time()
        if self._timer is None:
            self._start(loop)
        return [sample for sample in self._samples if sample.time > since]

    @property
    def last(self) -> Sample | None:
        """The latest sample, if any."""
        return self._samples[-1] if self._samples else None

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Reset the baselines: those from before the pause do not apply."""
        self._lag = 0.0
        self._sampled_at = loop.time()
        self._cpu = time.process_time()
        self._last_totals = self._totals()
        self._schedule(loop)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._probe_due = loop.time() + PROBE_SECONDS
        self._timer = loop.call_at(self._probe_due, self._probe, loop)

    def _probe(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self._lag = max(self._lag, now - self._probe_due)
        if now - self._sampled_at >= SAMPLE_SECONDS:
            self._record_sample(now)
        if now - self._last_read_at > IDLE_SECONDS:
            self._timer = None
            self._samples.clear()
        else:
            self._schedule(loop)

    def _record_sample(self, now: float) -> None:
        elapsed = now - self._sampled_at
        cpu = time.process_time()
        read_totals = self._totals()
        self._samples.append(
            Sample(
                round(time.time(), 3),
                *self._read_counts(),
                lag=round(self._lag * 1000, 2),
                cpu=round((cpu - self._cpu) / elapsed * 100, 1),
                memory=resident_memory(),
                messages=self._rate(read_totals, "messages", elapsed),
                publications=self._rate(read_totals, "publications", elapsed),
            )
        )
        self._sampled_at, self._cpu, self._lag, self._last_totals = now, cpu, 0.0, read_totals

    def _rate(self, read_totals: Mapping[str, float], name: str, elapsed: float) -> float:
        if name not in read_totals:
            return -1.0
        return round((read_totals[name] - self._last_totals.get(name, 0.0)) / elapsed, 2)


def resident_memory() -> int:
    """Resident set size in bytes.

    It is the peak where the system does not report the current size.
    """
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        import resource  # noqa: PLC0415 (not on every system)

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
