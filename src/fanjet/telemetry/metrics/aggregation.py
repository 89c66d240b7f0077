"""The metrics of several processes as those of one server.

What is counted is added up. Quantiles cannot be, so that processes tell what they are computed from. What a process
says of itself (`process_…`) stays its own, under a label that tells whose.
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

OWN: Final = "process_"
WORKER_LABEL: Final = "worker"
LARGEST: Final = ("_node_num_nodes", "_node_build", "_engine_silence_seconds")
"""The ends of the names of gauges of which every process tells the same, or of which the worst counts."""

Sketches: TypeAlias = dict[str, list[tuple[Labels, dict[int, int]]]]
"""By the name of a summary: for each of its labels how many observations are in which bucket."""


class Told(msgspec.Struct, frozen=True, array_like=True):
    """What a process has told: metrics, summaries without their quantiles, and the sketches for these."""

    metrics: list[Metric]
    sketches: Sketches


_decoder: Final = msgspec.msgpack.Decoder(Told)
NOTHING: Final = Told([], {})


def told(registry: Registry, worker: int) -> bytes:
    """What a worker tells of its metrics."""
    metrics = [_own(metric, str(worker)) if metric.name.startswith(OWN) else metric for metric in registry.read()]
    return encoded(Told([_without_quantiles(metric) for metric in metrics], registry.sketches()))


def encoded(what: Told) -> bytes:
    """For the line."""
    return msgspec.msgpack.encode(what)


def decoded(data: bytes) -> Told:
    """The inverse; nothing for a worker that has not told anything."""
    return _decoder.decode(data) if data else NOTHING


def _own(metric: Metric, worker: str) -> Metric:
    labelled = [
        Sample(suffix, tuple(sorted((*labels, (WORKER_LABEL, worker)))), value)
        for suffix, labels, value in metric.samples
    ]
    return metric._replace(samples=labelled)


def _without_quantiles(metric: Metric) -> Metric:
    if metric.kind != "summary":
        return metric
    return metric._replace(samples=[sample for sample in metric.samples if sample.suffix])


def merged(parts: Iterable[Told]) -> Told:
    """All of them as one."""
    metrics: dict[str, Metric] = {}
    values: dict[str, dict[tuple[str, Labels], float]] = {}
    sketches: dict[str, dict[Labels, Counter[int]]] = {}
    for part in parts:
        for metric in part.metrics:
            metrics.setdefault(metric.name, metric)
            _add(values.setdefault(metric.name, {}), metric)
        for name, rows in part.sketches.items():
            for labels, counts in rows:
                sketches.setdefault(name, {}).setdefault(labels, Counter()).update(counts)
    return Told(
        [
            metric._replace(samples=[Sample(*key, value) for key, value in values[name].items()])
            for name, metric in sorted(metrics.items())
        ],
        {name: [(labels, dict(counts)) for labels, counts in rows.items()] for name, rows in sketches.items()},
    )


def _add(values: dict[tuple[str, Labels], float], metric: Metric) -> None:
    largest = metric.name.endswith(LARGEST)
    for suffix, labels, value in metric.samples:
        key = suffix, labels
        before = values.get(key, 0)
        values[key] = max(before, value) if largest else before + value


def what_stays(part: Told) -> Told:
    """What a process has counted, when it is no more: a sum that falls would look like a server that has begun anew."""
    stays = [metric for metric in part.metrics if metric.kind != "gauge" and not metric.name.startswith(OWN)]
    return Told(stays, {})


def metrics_of(part: Told) -> Iterator[Metric]:
    """The metrics as a registry would read them, quantiles included."""
    for metric in part.metrics:
        if metric.kind == "summary":
            sketches = {labels: Counter(counts) for labels, counts in part.sketches.get(metric.name, ())}
            yield metric._replace(samples=list(_with_quantiles(metric.samples, sketches)))
        else:
            yield metric


def _with_quantiles(samples: Iterable[Sample], sketches: dict[Labels, Counter[int]]) -> Iterator[Sample]:
    """Quantiles stand before the sum of their summary."""
    for sample in samples:
        if sample.suffix == "_sum":
            found = quantiles_of(sketches.get(sample.labels, Counter()), QUANTILES)
            for rank, value in zip(QUANTILES, found, strict=True):
                yield Sample("", (*sample.labels, ("quantile", str(rank))), value)
        yield sample
