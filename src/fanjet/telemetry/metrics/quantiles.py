"""Quantiles of recent observations, accurate to one percent, in bounded memory.

They are used for summaries (10 B.2).

Values are counted in buckets whose bounds grow by 2 %, as in DDSketch. The DDSketch library takes five times as long.
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
"""Lower bound of values: smaller ones, also negative ones after a clock change, count as this."""


class RecentQuantiles:
    """A sketch over a sliding window of eight to ten minutes.

    `clock` returns monotonic seconds.
    """

    __slots__ = ("_clock", "_current_until", "_slices")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Plain dicts: a `Counter` takes twice as long to count.
        self._slices: deque[dict[int, int]] = deque([{}], maxlen=SLICES)
        self._current_until = clock() + WINDOW_SECONDS / SLICES

    def add(self, values: Sequence[float]) -> None:
        """Add observations in ascending order.

        Of a large batch, every fourth value represents its neighbours, except the highest ones, which determine the
        high ranks: that is a quarter of the work.
        """
        self._rotate()
        counts = self._slices[-1]
        many = max(0, (len(values) - HIGHEST) // STEP * STEP)
        for bucket in _buckets(values[STEP // 2 : many : STEP]):
            counts[bucket] = counts[bucket] + STEP if bucket in counts else STEP
        for bucket in _buckets(values[many:]):
            counts[bucket] = counts[bucket] + 1 if bucket in counts else 1

    def read(self, ranks: Sequence[float]) -> list[float]:
        """The quantiles at these ranks (0 to 1, ascending); NaN without observations."""
        return quantiles_of(self.counts(), ranks)

    def counts(self) -> Counts:
        """The number of observations in each bucket."""
        self._rotate()
        counts: Counts = Counter()
        for slice_counts in self._slices:
            counts.update(slice_counts)
        return counts

    def _rotate(self) -> None:
        now = self._clock()
        rotations = 0
        while now >= self._current_until and rotations < SLICES:
            self._slices.append({})
            self._current_until += WINDOW_SECONDS / SLICES
            rotations += 1
        if now >= self._current_until:
            self._current_until = now + WINDOW_SECONDS / SLICES


def _buckets(values: Sequence[float]) -> list[int]:
    """The bucket of each value; `values` is ascending.

    `log2` takes a quarter of the time of `log`, `max` as long as `log2`.
    """
    if values and values[0] < _SMALLEST:
        values = [max(value, _SMALLEST) for value in values]
    return [ceil(log2(value) * _SCALE) for value in values]


def quantiles_of(counts: Counts, ranks: Sequence[float]) -> list[float]:
    """The quantiles at these ranks from counts by bucket; NaN without observations."""
    total = counts.total()
    if not total:
        return [nan] * len(ranks)
    quantiles = []
    seen = 0
    buckets = iter(sorted(counts.items()))
    bucket = 0
    for rank in ranks:
        while seen <= rank * (total - 1):
            bucket, count = next(buckets)
            seen += count
        quantiles.append(2 * GROWTH**bucket / (GROWTH + 1))
    return quantiles
