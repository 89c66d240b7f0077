"""What runs beside the serving of clients, for those who operate a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.operations.health import Readiness, Stage
from fanjet.operations.loop_lag import LoopLag
from fanjet.telemetry.metrics.graphite import GraphiteExporter

if TYPE_CHECKING:
    from fanjet.config.tree.exporters import Graphite
    from fanjet.measuring import Measuring
    from fanjet.node.node import Node


class Operations:
    """Metrics, where they are sent, and whether the server is ready."""

    def __init__(self, measuring: Measuring, node: Node, graphite: Graphite, node_name: str) -> None:
        self.measuring = measuring
        self.readiness = Readiness(node.lost_engines)
        self._lag = LoopLag(measuring.registry)
        self._graphite = _exporter(measuring, graphite, node_name) if graphite.enabled else None

    def start(self) -> None:
        """The server serves."""
        self.readiness.stage = Stage.SERVING
        self._lag.start()
        if self._graphite is not None:
            self._graphite.start()

    async def stop(self) -> None:
        """The server has stopped."""
        self._lag.stop()
        if self._graphite is not None:
            await self._graphite.stop()


def _exporter(measuring: Measuring, settings: Graphite, node_name: str) -> GraphiteExporter:
    return GraphiteExporter(
        measuring.registry,
        host=settings.host,
        port=settings.port,
        prefix=settings.prefix,
        node=node_name,
        interval=settings.interval,
        tags=settings.tags,
    )
