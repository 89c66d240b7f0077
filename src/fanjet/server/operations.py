"""Background work for operators.

Exporters of metrics and traces, readiness, event loop lag.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fanjet.config import ConfigError
from fanjet.operations.health import Readiness, Stage
from fanjet.operations.loop_lag import LoopLag
from fanjet.telemetry.metrics.aggregation import decode, export_metrics, merge, read_metrics
from fanjet.telemetry.metrics.graphite import GraphiteExporter
from fanjet.telemetry.otlp import ExportError, open_exporters
from fanjet.telemetry.traces import open_traces

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from fanjet.config import Config
    from fanjet.config.tree.exporters import Graphite, Opentelemetry
    from fanjet.node.node import Node
    from fanjet.server.metrics import ServerMetrics
    from fanjet.telemetry.metrics.otlp import OtlpMetrics
    from fanjet.telemetry.metrics.registry import Metric
    from fanjet.telemetry.metrics.source import Source
    from fanjet.telemetry.traces import Traces
    from fanjet.workers.control_client import ControlClient


class Operations:
    """Metrics and their exporters, and the readiness of the server."""

    def __init__(
        self,
        metrics: ServerMetrics,
        node: Node,
        config: Config,
        node_name: str,
        version: str,
        *,
        control: ControlClient | None = None,
    ) -> None:
        """Prepare the background work.

        `control`: set in a worker, whose metrics are aggregated with those of the others. Raises `ConfigError`
        where exporting is not possible as configured.
        """
        self.metrics = metrics
        self.control = control
        self.readiness = Readiness(node.lost_engines)
        self._lag = LoopLag(metrics.registry)
        wants_graphite = config.graphite.enabled and control is None
        self._graphite = graphite_exporter(metrics.registry, config.graphite, node_name) if wants_graphite else None
        self._tracing, self._otlp = _open_otlp(metrics, config.opentelemetry, node.uid, version)
        self.traces = self._tracing if config.opentelemetry.api else None
        """Traces of server API calls, if they are enabled."""
        self.proxy_traces = self._tracing if config.fanjet.opentelemetry_proxies else None
        """Traces of calls to backends, if they are enabled."""

    def start(self) -> None:
        """Start the exporters; the server is ready."""
        self.readiness.stage = Stage.SERVING
        self._lag.start()
        if self._graphite is not None:
            self._graphite.start()
        if self._otlp is not None:
            self._otlp.start()

    @property
    def worker(self) -> int:
        """The number of this worker; 0: this is the only process."""
        return 0 if self.control is None else self.control.number

    def report(self) -> bytes:
        """The encoded metrics of this worker, for the supervisor."""
        return export_metrics(self.metrics.registry, self.worker)

    async def all_metrics(self) -> Iterable[Metric]:
        """The metrics of this server, aggregated over all workers."""
        if self.control is None:
            return self.metrics.registry.read()
        return read_metrics(merge(map(decode, await self.control.collect_metrics())))

    async def stop(self) -> None:
        """Stop the exporters and flush traces."""
        self._lag.stop()
        if self._graphite is not None:
            await self._graphite.stop()
        if self._otlp is not None:
            await self._otlp.stop()
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.close)


def _open_otlp(
    metrics: ServerMetrics, settings: Opentelemetry, instance: str, version: str
) -> tuple[Traces | None, OtlpMetrics | None]:
    if not settings.enabled:
        return None, None
    try:
        exporters = open_exporters(
            instance, version, google=settings.google_cloud_adc_auth, detectors=settings.resource_detectors
        )
        traces = open_traces(exporters)
        if not settings.metrics:
            return traces, None
        from fanjet.telemetry.metrics.otlp import OtlpMetrics  # noqa: PLC0415 (an extra)

        return traces, OtlpMetrics(metrics.registry, exporters)
    except ExportError as error:
        raise ConfigError(f"opentelemetry.enabled: {error}") from None


def graphite_exporter(
    metrics: Source, settings: Graphite, node_name: str, refresh: Callable[[], Awaitable[None]] | None = None
) -> GraphiteExporter:
    """An exporter to Graphite; `refresh` is awaited before the metrics are read."""
    return GraphiteExporter(
        metrics,
        host=settings.host,
        port=settings.port,
        prefix=settings.prefix,
        node=node_name,
        interval=settings.interval,
        tags=settings.tags,
        refresh=refresh,
    )
