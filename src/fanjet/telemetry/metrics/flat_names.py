"""Metrics with flat dotted names, for Graphite and the node info (10 C, E)."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .registry import Labels, Metric, Sample
    from .source import Source

_QUANTILE_NAMES: Final = {"0.5": "50", "0.99": "99", "0.999": "999"}


class FlatMetric(NamedTuple):
    """One value. `labels` has no empty values; `is_integer` is set for counters."""

    name: str
    labels: Labels
    value: float
    is_integer: bool

    @property
    def dotted(self) -> str:
        """The name followed by the labels."""
        return ".".join((self.name, *(part for label in self.labels for part in label)))


class DeltaReader:
    """Reads metrics periodically: counters as the difference to the previous read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._previous: dict[tuple[str, Labels], float] = {}

    def read(self) -> list[FlatMetric]:
        """Counters, gauges and summaries of the namespace.

        Histograms only if they replace summaries, and only their count and sum.
        """
        return list(self._items(self._source.read()))

    def _items(self, metrics: Iterable[Metric]) -> Iterator[FlatMetric]:
        for metric in metrics:
            name = metric.name
            if not name.startswith(f"{self._source.namespace}_"):
                continue
            if metric.kind in ("counter", "gauge"):
                yield from self._numbers(metric)
            elif metric.kind == "summary":
                yield from self._summaries(name, metric.samples)
            elif self._source.native_histograms and name.endswith("_histogram"):
                yield from self._summaries(name.removesuffix("_histogram"), metric.samples)

    def _numbers(self, metric: Metric) -> Iterator[FlatMetric]:
        name = dotted(metric.name, self._source.namespace)
        is_counter = metric.kind == "counter"
        for sample in metric.samples:
            value = self._delta(metric.name, sample.labels, sample.value) if is_counter else sample.value
            yield FlatMetric(name, _non_empty(sample.labels), value, is_counter)

    def _summaries(self, name: str, samples: list[Sample]) -> Iterator[FlatMetric]:
        base = dotted(name, self._source.namespace)
        for suffix, labels, value in samples:
            if suffix in ("_sum", "_count"):
                delta = self._delta(name + suffix, labels, value)
                yield FlatMetric(f"{base}.{suffix[1:]}", _non_empty(labels), delta, False)
            elif not suffix and not isnan(value):
                quantile = _QUANTILE_NAMES[dict(labels)["quantile"]]
                others = tuple(label for label in labels if label[0] != "quantile")
                yield FlatMetric(f"{base}.quantile.{quantile}", _non_empty(others), value, False)

    def _delta(self, name: str, labels: Labels, value: float) -> float:
        key = (name, labels)
        previous = self._previous.get(key, 0)
        self._previous[key] = value
        return value - previous


def dotted(name: str, namespace: str) -> str:
    """A metric's name as `namespace.subsystem.name`."""
    rest = name.removeprefix(f"{namespace}_")
    return ".".join((namespace, *rest.split("_", 1)))


def _non_empty(labels: Labels) -> Labels:
    return tuple(label for label in labels if label[1])
