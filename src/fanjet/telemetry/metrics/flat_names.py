"""Metrics under names of one piece, as Graphite and the node's own record have them (10 C, E)."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .registry import Labels, Metric, Sample
    from .source import Source

_QUANTILE_NAMES: Final = {"0.5": "50", "0.99": "99", "0.999": "999"}


class Item(NamedTuple):
    """One number. `labels` without those that are empty; `whole` for counters, whose values have no fraction."""

    name: str
    labels: Labels
    value: float
    whole: bool

    @property
    def dotted(self) -> str:
        """The name with the labels behind it."""
        return ".".join((self.name, *(part for label in self.labels for part in label)))


class Deltas:
    """Reads metrics again and again: of what grows by how much it has grown since the last time."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._before: dict[tuple[str, Labels], float] = {}

    def read(self) -> list[Item]:
        """Counters, gauges and summaries of the namespace. Of histograms only the count and the sum, and
        only where they stand for summaries."""
        return list(self._items(self._source.read()))

    def _items(self, metrics: Iterable[Metric]) -> Iterator[Item]:
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

    def _numbers(self, metric: Metric) -> Iterator[Item]:
        name = dotted(metric.name, self._source.namespace)
        grows = metric.kind == "counter"
        for sample in metric.samples:
            value = self._growth(metric.name, sample.labels, sample.value) if grows else sample.value
            yield Item(name, _filled(sample.labels), value, grows)

    def _summaries(self, name: str, samples: list[Sample]) -> Iterator[Item]:
        base = dotted(name, self._source.namespace)
        for suffix, labels, value in samples:
            if suffix in ("_sum", "_count"):
                growth = self._growth(name + suffix, labels, value)
                yield Item(f"{base}.{suffix[1:]}", _filled(labels), growth, False)
            elif not suffix and not isnan(value):
                quantile = _QUANTILE_NAMES[dict(labels)["quantile"]]
                others = tuple(label for label in labels if label[0] != "quantile")
                yield Item(f"{base}.quantile.{quantile}", _filled(others), value, False)

    def _growth(self, name: str, labels: Labels, value: float) -> float:
        key = (name, labels)
        before = self._before.get(key, 0)
        self._before[key] = value
        return value - before


def dotted(name: str, namespace: str) -> str:
    """A metric's name in three parts: namespace, subsystem, rest."""
    rest = name.removeprefix(f"{namespace}_")
    return ".".join((namespace, *rest.split("_", 1)))


def _filled(labels: Labels) -> Labels:
    return tuple(label for label in labels if label[1])
