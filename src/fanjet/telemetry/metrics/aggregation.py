"""Merges the metrics of several processes into those of one server.

Counters are added. Quantiles cannot be merged, so processes export the sketches they are computed from. Metrics of the
process itself (`process_…`) are not merged but labelled with the worker's number.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from .quantiles import quantiles_of
from .registry import QUANTILES, Labels, Metric, Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .registry import Registry

PROCESS_PREFIX: Final = "process_"
WORKER_LABEL: Final = "worker"
MAX_MERGED: Final = ("_node_num_nodes", "_node_build", "_engine_silence_seconds")
"""Name suffixes of gauges merged by maximum: the value is the same in every process, or the worst one matters."""

Sketches: TypeAlias = dict[str, list[tuple[Labels, dict[int, int]]]]
"""For each summary: label values and the number of observations in each bucket."""


class ProcessMetrics(msgspec.Struct, frozen=True, array_like=True):
    """The exported metrics of a process.

    Summaries have no quantiles; the sketches for these are included.
    """

    metrics: list[Metric]
    sketches: Sketches


_decoder: Final = msgspec.msgpack.Decoder(ProcessMetrics)
EMPTY: Final = ProcessMetrics([], {})


def export_metrics(registry: Registry, worker: int) -> bytes:
    """Encode a worker's metrics for the supervisor."""
    metrics = [
        _label_process_metrics(metric, str(worker)) if metric.name.startswith(PROCESS_PREFIX) else metric
        for metric in registry.read()
    ]
    return encode(ProcessMetrics([_without_quantiles(metric) for metric in metrics], registry.sketches()))


def encode(metrics: ProcessMetrics) -> bytes:
    """Encode for the control channel."""
    return msgspec.msgpack.encode(metrics)


def decode(data: bytes) -> ProcessMetrics:
    """Decode; empty for a worker that has exported nothing yet."""
    return _decoder.decode(data) if data else EMPTY


def _label_process_metrics(metric: Metric, worker: str) -> Metric:
    labelled = [
        Sample(suffix, tuple(sorted((*labels, (WORKER_LABEL, worker)))), value)
        for suffix, labels, value in metric.samples
    ]
    return metric._replace(samples=labelled)


def _without_quantiles(metric: Metric) -> Metric:
    if metric.kind != "summary":
        return metric
    return metric._replace(samples=[sample for sample in metric.samples if sample.suffix])


def merge(parts: Iterable[ProcessMetrics]) -> ProcessMetrics:
    """Merge the metrics of several processes."""
    metrics: dict[str, Metric] = {}
    values: dict[str, dict[tuple[str, Labels], float]] = {}
    sketches: dict[str, dict[Labels, Counter[int]]] = {}
    for part in parts:
        for metric in part.metrics:
            metrics.setdefault(metric.name, metric)
            _merge_samples(values.setdefault(metric.name, {}), metric)
        for name, rows in part.sketches.items():
            for labels, counts in rows:
                sketches.setdefault(name, {}).setdefault(labels, Counter()).update(counts)
    return ProcessMetrics(
        [
            metric._replace(samples=[Sample(*key, value) for key, value in values[name].items()])
            for name, metric in sorted(metrics.items())
        ],
        {name: [(labels, dict(counts)) for labels, counts in rows.items()] for name, rows in sketches.items()},
    )


def _merge_samples(values: dict[tuple[str, Labels], float], metric: Metric) -> None:
    uses_max = metric.name.endswith(MAX_MERGED)
    for suffix, labels, value in metric.samples:
        key = suffix, labels
        previous = values.get(key, 0)
        values[key] = max(previous, value) if uses_max else previous + value


def retained_metrics(part: ProcessMetrics) -> ProcessMetrics:
    """The metrics to keep after a process has ended.

    A decreasing counter would look like a server restart.
    """
    retained = [
        metric for metric in part.metrics if metric.kind != "gauge" and not metric.name.startswith(PROCESS_PREFIX)
    ]
    return ProcessMetrics(retained, {})


def read_metrics(part: ProcessMetrics) -> Iterator[Metric]:
    """Yield the metrics as a registry does, with quantiles."""
    for metric in part.metrics:
        if metric.kind == "summary":
            sketches = {labels: Counter(counts) for labels, counts in part.sketches.get(metric.name, ())}
            yield metric._replace(samples=list(_with_quantiles(metric.samples, sketches)))
        else:
            yield metric


def _with_quantiles(samples: Iterable[Sample], sketches: dict[Labels, Counter[int]]) -> Iterator[Sample]:
    """Insert the quantiles before the sum of their summary."""
    for sample in samples:
        if sample.suffix == "_sum":
            quantiles = quantiles_of(sketches.get(sample.labels, Counter()), QUANTILES)
            for rank, value in zip(QUANTILES, quantiles, strict=True):
                yield Sample("", (*sample.labels, ("quantile", str(rank))), value)
        yield sample
