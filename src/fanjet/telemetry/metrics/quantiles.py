"""Quantiles of what was observed lately, right to one percent, in bounded memory (10 B.2).

Values are counted in buckets whose bounds grow by 2 %, as DDSketch does it. Its library takes five times as long.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from math import ceil, log2, nan
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    Counts: TypeAlias = Counter[int]

WINDOW_SECONDS: Final = 600.0
SLICES: Final = 5
GROWTH: Final = 1.02
_SCALE: Final = 1 / log2(GROWTH)
STEP: Final = 4
HIGHEST: Final = 16
_SMALLEST: Final = 1e-9
"""What is smaller, a nanosecond or a clock that went back, counts as this."""


class RecentQuantiles:
    """Forgets observations after eight to ten minutes. `clock` gives monotonic seconds."""

    __slots__ = ("_clock", "_current_until", "_slices")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Of plain dicts: a `Counter` takes twice as long to count.
        self._slices: deque[dict[int, int]] = deque([{}], maxlen=SLICES)
        self._current_until = clock() + WINDOW_SECONDS / SLICES

    def add(self, values: Sequence[float]) -> None:
        """Take in observations in rising order. Of many at once, every fourth stands for its neighbours, but for the
        highest, which decide about the high ranks: that is a quarter of the work."""
        self._turn_over()
        counts = self._slices[-1]
        many = max(0, (len(values) - HIGHEST) // STEP * STEP)
        for bucket in _buckets(values[STEP // 2 : many : STEP]):
            counts[bucket] = counts[bucket] + STEP if bucket in counts else STEP
        for bucket in _buckets(values[many:]):
            counts[bucket] = counts[bucket] + 1 if bucket in counts else 1

    def read(self, ranks: Sequence[float]) -> list[float]:
        """The values at these ranks, which are shares of one in rising order; NaN when nothing was observed."""
        return quantiles_of(self.counts(), ranks)

    def counts(self) -> Counts:
        """How many observations are in each bucket."""
        self._turn_over()
        counts: Counts = Counter()
        for part in self._slices:
            counts.update(part)
        return counts

    def _turn_over(self) -> None:
        now = self._clock()
        missed = 0
        while now >= self._current_until and missed < SLICES:
            self._slices.append({})
            self._current_until += WINDOW_SECONDS / SLICES
            missed += 1
        if now >= self._current_until:
            self._current_until = now + WINDOW_SECONDS / SLICES


def _buckets(values: Sequence[float]) -> list[int]:
    """The bucket of each value, which rise. `log2` takes a fourth of the time of `log`, and `max` as long as that."""
    if values and values[0] < _SMALLEST:
        values = [max(value, _SMALLEST) for value in values]
    return [ceil(log2(value) * _SCALE) for value in values]


def quantiles_of(counts: Counts, ranks: Sequence[float]) -> list[float]:
    """The values at these ranks, of observations counted by bucket; NaN when there are none."""
    total = counts.total()
    if not total:
        return [nan] * len(ranks)
    found = []
    seen = 0
    buckets = iter(sorted(counts.items()))
    bucket = 0
    for rank in ranks:
        while seen <= rank * (total - 1):
            bucket, count = next(buckets)
            seen += count
        found.append(2 * GROWTH**bucket / (GROWTH + 1))
    return found
