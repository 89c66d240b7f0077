"""Latencies collected during a measurement and what is said of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Latencies:
    """A growing sample in microseconds."""

    sample: list[int] = field(default_factory=list)

    def add(self, latency: int) -> None:
        """Note one latency in microseconds."""
        self.sample.append(latency)

    def add_all(self, latencies: Iterable[int]) -> None:
        """Note several."""
        self.sample.extend(latencies)

    def clear(self) -> None:
        """Forget what was noted, after warming up."""
        self.sample.clear()

    def quantile(self, share: float) -> float:
        """Return the latency in milliseconds that `share` of the sample does not exceed; NaN for an empty sample."""
        if not self.sample:
            return float("nan")
        ordered = sorted(self.sample)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1000
