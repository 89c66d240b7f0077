"""The metrics of all workers, those that are no more included: a sum must not fall because one of them has ended."""

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
"""A worker that takes longer is shown as it was before."""


class Gathering:
    """Asks all `workers`."""

    def __init__(self, workers: Collection[Worker]) -> None:
        self._workers = workers
        self._gone = EMPTY
        self._last_number = 0

    def keep_counts(self, worker: Worker) -> None:
        """A worker has ended: keep what it has counted, as far as it told. That is up to its end if this was an orderly
        one, else up to when somebody asked last."""
        self._gone = merge([self._gone, retained_metrics(decode(worker.last_metrics))])

    async def parts(self) -> list[bytes]:
        """For each process what it has told, to be merged by who asks. A worker that is about to be kept as gone counts
        as if it were."""
        self._last_number += 1
        gone = encode(self._gone)
        workers = sorted(self._workers, key=lambda each: each.number)
        return [gone, *await asyncio.gather(*(self._report(worker, self._last_number) for worker in workers))]

    async def _report(self, worker: Worker, number: int) -> bytes:
        if not worker.is_ready:
            return encode(retained_metrics(decode(worker.last_metrics)))
        try:
            async with asyncio.timeout(REPORT_SECONDS):
                return await worker.report(number)
        except (TimeoutError, WorkerGone):
            return worker.last_metrics


class AllMetrics:
    """What all workers have counted, as of the last `refresh` (a `telemetry.metrics.source.Source`)."""

    def __init__(self, gathering: Gathering, *, namespace: str, native_histograms: bool) -> None:
        self.namespace = namespace
        self.native_histograms = native_histograms
        self._gathering = gathering
        self._latest = EMPTY

    async def refresh(self) -> None:
        """Ask all workers."""
        self._latest = merge(map(decode, await self._gathering.parts()))

    def read(self) -> Iterable[Metric]:
        """Every metric of which there is something to read, by name."""
        return read_metrics(self._latest)
