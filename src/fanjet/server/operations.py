"""What runs beside the serving of clients, for those who operate a server."""

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
    from fanjet.server.metrics import Measuring
    from fanjet.telemetry.metrics.otlp import OtlpMetrics
    from fanjet.telemetry.metrics.registry import Metric
    from fanjet.telemetry.metrics.source import Source
    from fanjet.telemetry.traces import Traces
    from fanjet.workers.control_client import ControlClient


class Operations:
    """Metrics, where they are sent, and whether the server is ready."""

    def __init__(
        self,
        measuring: Measuring,
        node: Node,
        config: Config,
        node_name: str,
        version: str,
        *,
        control: ControlClient | None = None,
    ) -> None:
        """`control`: there are other workers, whose metrics are told with ours. Raises `ConfigError` where nothing can
        be exported as configured."""
        self.measuring = measuring
        self.control = control
        self.readiness = Readiness(node.lost_engines)
        self._lag = LoopLag(measuring.registry)
        wants_graphite = config.graphite.enabled and control is None
        self._graphite = graphite_exporter(measuring.registry, config.graphite, node_name) if wants_graphite else None
        self._tracing, self._otlp = _open_otlp(measuring, config.opentelemetry, node.uid, version)
        self.traces = self._tracing if config.opentelemetry.api else None
        """Where calls of the server API are told, if anywhere."""
        self.proxy_traces = self._tracing if config.fanjet.opentelemetry_proxies else None
        """Where calls to backends are told, if anywhere."""

    def start(self) -> None:
        """The server serves."""
        self.readiness.stage = Stage.SERVING
        self._lag.start()
        if self._graphite is not None:
            self._graphite.start()
        if self._otlp is not None:
            self._otlp.start()

    @property
    def worker(self) -> int:
        """The number of this worker; 0: there are no others."""
        return 0 if self.control is None else self.control.number

    def report(self) -> bytes:
        """What this worker's metrics have come to, for the supervisor."""
        return export_metrics(self.measuring.registry, self.worker)

    async def all_metrics(self) -> Iterable[Metric]:
        """The metrics of this server, of all its workers together."""
        if self.control is None:
            return self.measuring.registry.read()
        return read_metrics(merge(map(decode, await self.control.collect_metrics())))

    async def stop(self) -> None:
        """The server has stopped."""
        self._lag.stop()
        if self._graphite is not None:
            await self._graphite.stop()
        if self._otlp is not None:
            await self._otlp.stop()
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.close)


def _open_otlp(
    measuring: Measuring, settings: Opentelemetry, instance: str, version: str
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

        return traces, OtlpMetrics(measuring.registry, exporters)
    except ExportError as error:
        raise ConfigError(f"opentelemetry.enabled: {error}") from None


def graphite_exporter(
    metrics: Source, settings: Graphite, node_name: str, refresh: Callable[[], Awaitable[None]] | None = None
) -> GraphiteExporter:
    """What sends metrics to Graphite; `refresh` is awaited before they are read."""
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
