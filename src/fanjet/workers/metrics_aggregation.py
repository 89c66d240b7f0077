"""Aggregates the metrics of all workers.

Exited workers are included, so that no sum of counters falls.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from fanjet.telemetry.metrics.aggregation import EMPTY, decode, encode, merge, read_metrics, retained_metrics

from .worker import WorkerGone

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from fanjet.telemetry.metrics.registry import Metric

    from .worker import Worker

REPORT_SECONDS: Final = 5.0
"""The previous metrics of a worker that takes longer are used."""


class MetricsAggregation:
    """Collects the metrics of all `workers`, and retains the counters of exited ones."""

    def __init__(self, workers: Collection[Worker]) -> None:
        self._workers = workers
        self._retained = EMPTY
        self._last_number = 0

    def retain(self, worker: Worker) -> None:
        """Retain the counters of a worker that has exited.

        The values are the final ones after an orderly exit, else those of the last report.
        """
        self._retained = merge([self._retained, retained_metrics(decode(worker.last_metrics))])

    async def collect(self) -> list[bytes]:
        """The encoded metrics of each process, which the caller merges.

        A worker that is exiting contributes the same values as after its exit.
        """
        self._last_number += 1
        retained = encode(self._retained)
        workers = sorted(self._workers, key=lambda each: each.number)
        return [retained, *await asyncio.gather(*(self._report(worker, self._last_number) for worker in workers))]

    async def _report(self, worker: Worker, number: int) -> bytes:
        if not worker.is_ready:
            return encode(retained_metrics(decode(worker.last_metrics)))
        try:
            async with asyncio.timeout(REPORT_SECONDS):
                return await worker.report(number)
        except (TimeoutError, WorkerGone):
            return worker.last_metrics


class AggregatedMetrics:
    """The metrics of all workers as of the last `refresh`.

    A `telemetry.metrics.source.Source`.
    """

    def __init__(self, aggregation: MetricsAggregation, *, namespace: str, native_histograms: bool) -> None:
        self.namespace = namespace
        self.native_histograms = native_histograms
        self._aggregation = aggregation
        self._latest = EMPTY

    async def refresh(self) -> None:
        """Collect the metrics of all workers."""
        self._latest = merge(map(decode, await self._aggregation.collect()))

    def read(self) -> Iterable[Metric]:
        """All metrics that have samples, sorted by name."""
        return read_metrics(self._latest)
