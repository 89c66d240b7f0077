"""Endpoints of the console beyond the contract's.

They are below `admin/console/` and, named by 10 I, below `admin/api/`.

All of them need the same authentication.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanjet.protocol.codes import ReplyError

from ..requests import json_endpoint
from ..tracing.endpoint import TraceEndpoint
from . import cluster_views
from .channel_views import ChannelViews
from .cluster_views import ClusterViews
from .configuration_view import configuration_view
from .connection_views import ConnectionViews
from .delivery_diagnosis import DeliveryDiagnosis
from .dev_tokens import DevTokens
from .node_surveys import NodeSurveys
from .process_stats import ProcessStats, resident_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fanjet.client.context import ClientContext
    from fanjet.config import Loaded
    from fanjet.events.unknown_replies import UnknownReplies
    from fanjet.net.router import Endpoint

    from ..requests import Parameters


class ConsoleEndpoints:
    """Makes the console's endpoints. `totals` returns counters by name."""

    def __init__(
        self,
        clients: ClientContext,
        loaded: Loaded,
        environment: Mapping[str, str],
        *,
        totals: Callable[[], Mapping[str, float]],
        unknown_replies: UnknownReplies,
    ) -> None:
        node = clients.node
        self._node = node
        self._loaded = loaded
        self._environment = environment
        self._channels = ChannelViews(node)
        self._cluster = self._register_surveys(clients.now)
        self._tracing = TraceEndpoint(node, unknown_replies)
        self._process_stats = ProcessStats(self._current_counts, totals)
        self._tokens = DevTokens(loaded.config, clients) if loaded.config.admin.insecure else None

    def _register_surveys(self, now: Callable[[], float]) -> ClusterViews:
        """Register this node's survey handlers, even if it serves no console."""
        surveys, connections = NodeSurveys(self._node), ConnectionViews(self._node, now)
        surveys.handle(cluster_views.CONNECTIONS, connections.list_page)
        surveys.handle(cluster_views.CONNECTION, connections.detail)
        surveys.handle(cluster_views.DIAGNOSIS, DeliveryDiagnosis(self._node, connections).diagnose)
        surveys.handle(cluster_views.CHANNEL, self._channels.local_delivery)
        surveys.handle(cluster_views.PROCESS_STATS, self._local_process_stats)
        return ClusterViews(surveys)

    def stream_endpoints(self) -> dict[str, Endpoint]:
        """Streaming endpoints by path below `admin/`."""
        return {"trace": self._tracing}

    def post_endpoints(self) -> dict[str, Endpoint]:
        """Endpoints for `POST`, by path below `admin/`.

        Their parameters must not appear in access logs.
        """
        if self._tokens is None:
            return {}
        return {
            "console/token": json_endpoint(self._tokens.issue, in_body=True),
            "console/token_claims": json_endpoint(self._tokens.inspect, in_body=True),
        }

    def get_endpoints(self) -> dict[str, Endpoint]:
        """Endpoints for `GET` by path below `admin/`."""
        return {
            "console/overview": json_endpoint(self._overview),
            "console/channels": json_endpoint(self._channels.list_page),
            "console/channel": json_endpoint(self._channel),
            "console/connections": json_endpoint(self._cluster.connections),
            "console/connection": json_endpoint(self._cluster.connection),
            "console/explanation": json_endpoint(self._cluster.diagnosis),
            "console/features": json_endpoint(self._features),
            "api/config": json_endpoint(self._config),
            "api/channel_options": json_endpoint(self._channel_options),
        }

    async def _features(self, _params: Parameters) -> dict[str, Any]:
        """Optional features of this console."""
        return {"tokens": self._tokens is not None}

    def _current_counts(self) -> tuple[int, int, int]:
        hub = self._node.hub
        return len(self._node.connections), hub.subscription_count, sum(1 for _ in hub.active_channels())

    async def _overview(self, params: Parameters) -> dict[str, Any]:
        """The nodes, their process statistics, and the samples of one node.

        The samples are those of `node` (default: this node) after `since` (Unix milliseconds).
        """
        shown = params.text("node") or self._node.uid
        return {
            "node": self._node.uid,
            "shown": shown,
            "nodes": await self._node.info(),
            **await self._cluster.process_stats(params.with_changes(node=shown)),
        }

    async def _local_process_stats(self, params: Parameters) -> dict[str, Any]:
        samples = self._process_stats.samples_since(params.number("since") / 1000)
        is_selected = params.text("node") == self._node.uid
        return {
            "memory": resident_memory(),
            "last": self._process_stats.last,
            "samples": samples if is_selected else [],
        }

    async def _channel(self, params: Parameters) -> dict[str, Any]:
        """One channel: its configuration and its delivery."""
        return await self._channels.detail(params) | await self._cluster.channel_delivery(params)

    async def _config(self, _params: Parameters) -> dict[str, Any]:
        return configuration_view(self._loaded, self._environment)

    async def _channel_options(self, params: Parameters) -> dict[str, Any]:
        """The effective options of a channel (10 I.3)."""
        try:
            resolved = self._node.namespaces.resolve(params.required("channel"))
        except ReplyError:
            return {"found": False, "namespace": None, "options": {}}
        return {"found": True, "namespace": resolved.namespace, "options": resolved.options}
