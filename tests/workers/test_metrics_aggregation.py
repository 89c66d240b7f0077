"""Sums over workers never fall, whenever they are collected."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from fanjet.telemetry.metrics import Registry
from fanjet.telemetry.metrics.aggregation import export_metrics
from fanjet.workers import metrics_aggregation as module
from fanjet.workers.metrics_aggregation import AggregatedMetrics, MetricsAggregation
from fanjet.workers.worker import WorkerGone


class FakeWorker:
    """A worker whose counters the test sets."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_ready = True
        self.last_metrics = b""
        self.registry = Registry()
        self.made = self.registry.counter("made", "What was made").cell(shown=True)
        self.clients = self.registry.gauge("clients", "Clients").cell(shown=True)
        self.answers = True
        self.ends = False

    async def report(self, number: int) -> bytes:
        if self.ends:
            raise WorkerGone
        if not self.answers:
            await asyncio.Event().wait()
        self.last_metrics = export_metrics(self.registry, self.number)
        return self.last_metrics


class Scrape:
    """Collects the metrics of all workers."""

    def __init__(self, *workers: FakeWorker) -> None:
        self.workers = set(workers)
        self.aggregation = MetricsAggregation(cast("Any", self.workers))
        self._metrics = AggregatedMetrics(self.aggregation, namespace="centrifugo", native_histograms=False)

    async def read(self) -> dict[str, float]:
        await self._metrics.refresh()
        return {metric.name.removeprefix("centrifugo_"): metric.samples[0].value for metric in self._metrics.read()}

    def remove(self, worker: FakeWorker) -> None:
        self.workers.discard(worker)
        self.aggregation.retain(cast("Any", worker))


@pytest.fixture
def two() -> tuple[FakeWorker, FakeWorker]:
    first, second = FakeWorker(1), FakeWorker(2)
    first.made.value, second.made.value = 10, 5
    first.clients.value = second.clients.value = 3
    return first, second


async def test_sums_never_fall_while_a_worker_exits(two: tuple[FakeWorker, FakeWorker]) -> None:
    first, second = two
    scrape = Scrape(*two)
    assert await scrape.read() == {"made": 15, "clients": 6}
    first.is_ready = False  # it has ended, and its last word is still on the way
    assert await scrape.read() == {"made": 15, "clients": 3}
    first.made.value = 12
    first.last_metrics = export_metrics(first.registry, 1)
    assert await scrape.read() == {"made": 17, "clients": 3}
    scrape.remove(first)
    assert await scrape.read() == {"made": 17, "clients": 3}
    scrape.workers.add(FakeWorker(1))
    second.made.value += 1
    assert await scrape.read() == {"made": 18, "clients": 3}


async def test_a_worker_that_exits_during_a_scrape_counts_once(two: tuple[FakeWorker, FakeWorker]) -> None:
    first, _ = two
    scrape = Scrape(*two)
    await scrape.read()
    first.ends = True
    assert (await scrape.read())["made"] == 15
    scrape.remove(first)
    assert (await scrape.read())["made"] == 15


async def test_a_hanging_worker_keeps_its_last_metrics(
    two: tuple[FakeWorker, FakeWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two
    scrape = Scrape(*two)
    await scrape.read()
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.05)
    first.answers = False
    first.made.value, second.made.value = 100, 6
    assert await scrape.read() == {"made": 16, "clients": 6}


async def test_a_starting_worker_adds_nothing(two: tuple[FakeWorker, FakeWorker]) -> None:
    first, _ = two
    first.is_ready = False
    assert await Scrape(*two).read() == {"made": 5, "clients": 3}
