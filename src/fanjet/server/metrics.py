"""All metrics of a server, created as configured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fanjet.api.metrics import ApiMetrics
from fanjet.client.metrics import ClientMetrics
from fanjet.engines.metrics import EngineMetrics
from fanjet.events.proxy.metrics import ProxyMetrics
from fanjet.node.metrics import NodeMetrics
from fanjet.telemetry.metrics import Registry
from fanjet.telemetry.metrics.process import add_process_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.config import Config

SDK_NAMES: Final = ("js", "go", "dart", "python", "java", "swift", "csharp", "cpp")
"""The client names of the official SDKs."""


class ServerMetrics:
    """The registry, and the metrics of each package.

    `namespace_of` finds the namespace of a channel; it is called only where the namespace is a label.
    """

    def __init__(self, config: Config, namespace_of: Callable[[str], str]) -> None:
        settings = config.prometheus
        self.registry = registry = Registry(
            config.fanjet.metrics_namespace,
            native_histograms=settings.native_histograms,
            client_labels=settings.client_labels,
        )
        self.node = NodeMetrics(registry, namespace_of if settings.channel_namespace_resolution else None)
        self.clients = ClientMetrics(
            self.node,
            client_names=(*SDK_NAMES, *settings.additional_client_names) if settings.additional_client_names else (),
            counts_recovered=settings.recovered_publications_histogram,
        )
        self.api = ApiMetrics(registry)
        self.proxies = ProxyMetrics(registry)
        self.engines = EngineMetrics(registry)
        add_process_metrics(registry)

    def totals(self) -> dict[str, float]:
        """Messages sent to clients and publications since the start."""
        return {
            "messages": sum(flow.count for flow in self.node.transport_sent.cells()),
            "publications": self.node.publications(),
        }
