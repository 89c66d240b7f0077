"""Collects this node's info for the cluster (07 §14.5)."""

from __future__ import annotations

import time
from math import inf
from typing import TYPE_CHECKING

from msgspec.structs import replace

from fanjet.telemetry.metrics.flat_names import DeltaReader

from .registry import NodeInfo, NodeMetrics

if TYPE_CHECKING:
    from .connections import Connections
    from .hub import Hub
    from .metrics import NodeMetrics as Metrics


class NodeInfoCollector:
    """Counts this node's connections, users, subscriptions and channels.

    The metrics snapshot, with the growth since the previous one, is renewed every `metrics_interval` seconds (10 E).
    """

    def __init__(
        self,
        connections: Connections,
        hub: Hub,
        *,
        uid: str,
        name: str,
        version: str,
        metrics: Metrics,
        metrics_interval: float,
    ) -> None:
        self._connections = connections
        self._hub = hub
        self._started = time.monotonic()
        self._metrics = metrics
        self._deltas = DeltaReader(metrics.registry)
        self._metrics_interval = metrics_interval
        self._metrics_at = -inf
        self.node_count = 1
        """Nodes of the cluster, set by the owner."""
        self.last = NodeInfo(uid, name, version, 0, 0, 0, 0)
        """The info collected last."""
        metrics.registry.before_reading(self.count)
        self.collect()

    def count(self) -> None:
        """Set the gauges of current numbers."""
        self._metrics.set_numbers(
            clients=len(self._connections),
            users=self._connections.user_count,
            subscriptions=self._hub.subscription_count,
            channels=self._channel_count(),
            nodes=self.node_count,
        )

    def _channel_count(self) -> int:
        return sum(1 for _ in self._hub.active_channels())

    def collect(self) -> NodeInfo:
        """Collect the info anew."""
        now = time.monotonic()
        last = replace(
            self.last,
            num_clients=len(self._connections),
            num_users=self._connections.user_count,
            num_subs=self._hub.subscription_count,
            num_channels=self._channel_count(),
            uptime=int(now - self._started),
        )
        if now - self._metrics_at >= self._metrics_interval:
            self._metrics_at = now
            last = replace(last, metrics=NodeMetrics(self._metrics_interval, self._items()))
        self.last = last
        return last

    def current(self) -> NodeInfo:
        """The info collected last, with the current uptime."""
        return replace(self.last, uptime=int(time.monotonic() - self._started))

    def _items(self) -> dict[str, float]:
        return {item.dotted: float(item.value) for item in self._deltas.read()}
