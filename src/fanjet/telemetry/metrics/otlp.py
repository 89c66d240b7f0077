"""Pushes metrics over OTLP periodically (10 L)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry.sdk.metrics import export as otel  # the module is loaded where the export is configured only
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanjet.telemetry.otlp import Exporters

    from .registry import Distribution, Metric, Registry

INTERVAL: Final = "OTEL_METRIC_EXPORT_INTERVAL"
TIMEOUT: Final = "OTEL_METRIC_EXPORT_TIMEOUT"
SCOPE: Final = InstrumentationScope("fanjet")


class OtlpMetrics:
    """Reads a registry in the event loop and exports from a thread.

    Metrics that cannot be sent are dropped; the library logs that.
    """

    def __init__(self, registry: Registry, exporters: Exporters) -> None:
        """Raises `ExportError`."""
        self._registry = registry
        self._resource = exporters.resource
        self._exporter = exporters.metrics()
        self._interval = _milliseconds(INTERVAL, 60_000) / 1000
        self._timeout = _milliseconds(TIMEOUT, 30_000)
        self._since = time.time_ns()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start; the first export is after one interval."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Export a last time and stop."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._send()
        await asyncio.to_thread(self._exporter.shutdown)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await self._send()

    async def _send(self) -> None:
        data = self.read(time.time_ns())
        await asyncio.to_thread(self._exporter.export, data, self._timeout)

    def read(self, now: int) -> otel.MetricsData:
        """All metrics as of `now` (Unix nanoseconds)."""
        metrics = [metric for read in self._registry.read() for metric in _convert(read, self._since, now)]
        scope = otel.ScopeMetrics(SCOPE, metrics, "")
        return otel.MetricsData([otel.ResourceMetrics(self._resource, [scope], "")])


def _convert(metric: Metric, since: int, now: int) -> Iterator[otel.Metric]:
    """Convert a metric.

    The library's model has no summaries: one becomes its quantiles, sum and count.
    """
    if metric.kind == "histogram":
        histograms = [_histogram_point(each, since, now) for each in metric.distributions()]
        yield _metric(metric, "", otel.Histogram(histograms, _CUMULATIVE))
        return
    for suffix in dict.fromkeys(sample.suffix for sample in metric.samples):
        points = [
            otel.NumberDataPoint(dict(sample.labels), since, now, float(sample.value))
            for sample in metric.samples
            if sample.suffix == suffix
        ]
        is_monotonic = metric.kind == "counter" or bool(suffix)
        data = otel.Sum(points, _CUMULATIVE, is_monotonic=True) if is_monotonic else otel.Gauge(points)
        yield _metric(metric, suffix, data)


def _metric(metric: Metric, suffix: str, data: Any) -> otel.Metric:
    return otel.Metric(metric.name + suffix, metric.help, "", data)


def _histogram_point(histogram: Distribution, since: int, now: int) -> otel.HistogramDataPoint:
    cumulative = [int(count) for _, count in histogram.parts]
    return otel.HistogramDataPoint(
        attributes=dict(histogram.labels),
        start_time_unix_nano=since,
        time_unix_nano=now,
        count=histogram.number,
        sum=histogram.total,
        bucket_counts=[count - previous for count, previous in zip(cumulative, [0, *cumulative], strict=False)],
        explicit_bounds=[bound for bound, _ in histogram.parts[:-1]],
        min=_UNKNOWN,
        max=_UNKNOWN,
    )


_CUMULATIVE: Final = otel.AggregationTemporality.CUMULATIVE
_UNKNOWN: Final = cast("float", None)
"""Omits the field: the protocol allows that, the library's types do not."""


def _milliseconds(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() and int(text) else default
