"""What a node says of itself (07 §14.5)."""

from __future__ import annotations

import time
from math import inf
from typing import TYPE_CHECKING

from msgspec.structs import replace

from .registry import NodeInfo, NodeMetrics

if TYPE_CHECKING:
    from .connections import Connections
    from .hub import Hub


class Stock:
    """Counts what there is on this node. `metrics_name` begins the names of metrics, which are taken anew every
    `metrics_interval` seconds."""

    def __init__(
        self,
        connections: Connections,
        hub: Hub,
        *,
        uid: str,
        name: str,
        version: str,
        metrics_name: str,
        metrics_interval: float,
    ) -> None:
        self._connections = connections
        self._hub = hub
        self._started = time.monotonic()
        self._metrics_name = metrics_name
        self._metrics_interval = metrics_interval
        self._metrics_at = -inf
        self.node_count = 1
        """Nodes of the cluster, to be told by who knows."""
        self.taken = NodeInfo(uid, name, version, 0, 0, 0, 0)
        """The last count."""
        self.take()

    def take(self) -> NodeInfo:
        """Count anew."""
        now = time.monotonic()
        taken = replace(
            self.taken,
            num_clients=len(self._connections),
            num_users=self._connections.user_count,
            num_subs=self._hub.subscription_count,
            num_channels=sum(1 for _ in self._hub.active_channels()),
            uptime=int(now - self._started),
        )
        if now - self._metrics_at >= self._metrics_interval:
            self._metrics_at = now
            taken = replace(taken, metrics=NodeMetrics(self._metrics_interval, self._gauges(taken)))
        self.taken = taken
        return taken

    def as_of_now(self) -> NodeInfo:
        """The last count, with the time that has passed since."""
        return replace(self.taken, uptime=int(time.monotonic() - self._started))

    def _gauges(self, taken: NodeInfo) -> dict[str, float]:
        counts = {
            "num_clients": taken.num_clients,
            "num_users": taken.num_users,
            "num_subscriptions": taken.num_subs,
            "num_channels": taken.num_channels,
            "num_nodes": self.node_count,
        }
        return {f"{self._metrics_name}.node.{name}": float(count) for name, count in counts.items()}
