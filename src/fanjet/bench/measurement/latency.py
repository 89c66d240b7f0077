"""Latencies collected during a measurement, and their quantiles."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Latencies:
    """A growing sample in microseconds."""

    sample: list[int] = field(default_factory=list)

    def add(self, latency: int) -> None:
        """Add a latency in microseconds."""
        self.sample.append(latency)

    def add_all(self, latencies: Iterable[int]) -> None:
        """Add several latencies."""
        self.sample.extend(latencies)

    def clear(self) -> None:
        """Drop all latencies, after the warm-up."""
        self.sample.clear()

    def quantile(self, share: float) -> float:
        """Return the latency that `share` of the sample does not exceed.

        The latency is in milliseconds, NaN for an empty sample.
        """
        if not self.sample:
            return float("nan")
        ordered = sorted(self.sample)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1000
