"""What the console asks for beside the contract's endpoints, below `admin/console/` and, as 10 I names them, below
`admin/api/`. All of it needs the same authentication."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanjet.protocol.codes import ReplyError

from ..requests import question
from ..tracing.endpoint import Tracing
from . import cluster_views
from .channel_views import ChannelPages
from .cluster_views import Everywhere
from .configuration_view import described
from .connection_views import ConnectionPages
from .delivery_diagnosis import Explanation
from .dev_tokens import TokenDesk
from .node_surveys import Nodes
from .process_stats import Vitals, resident_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fanjet.client.context import ClientContext
    from fanjet.config import Loaded
    from fanjet.net.router import Endpoint

    from ..requests import Parameters


class Console:
    """Answers the console's questions. `totals`: what has been counted so far, by name."""

    def __init__(
        self,
        clients: ClientContext,
        loaded: Loaded,
        environment: Mapping[str, str],
        *,
        totals: Callable[[], Mapping[str, float]],
    ) -> None:
        node = clients.node
        self._node = node
        self._loaded = loaded
        self._environment = environment
        self._channels = ChannelPages(node)
        self._everywhere = self._ask_everywhere(clients.now)
        self._tracing = Tracing(node)
        self._vitals = Vitals(self._count, totals)
        self._tokens = TokenDesk(loaded.config, clients) if loaded.config.admin.insecure else None

    def _ask_everywhere(self, now: Callable[[], float]) -> Everywhere:
        """Have this node answer for itself, also where it serves no console."""
        nodes, connections = Nodes(self._node), ConnectionPages(self._node, now)
        nodes.answer(cluster_views.CONNECTIONS, connections.page)
        nodes.answer(cluster_views.CONNECTION, connections.one)
        nodes.answer(cluster_views.EXPLANATION, Explanation(self._node, connections).explain)
        nodes.answer(cluster_views.CHANNEL, self._channels.here)
        nodes.answer(cluster_views.VITALS, self._vitals_here)
        return Everywhere(nodes)

    def traces(self) -> dict[str, Endpoint]:
        """What streams, by path below `admin/`."""
        return {"trace": self._tracing}

    def wishes(self) -> dict[str, Endpoint]:
        """What is asked for by `POST`, since it should stand in no log of addresses, by path below `admin/`."""
        if self._tokens is None:
            return {}
        return {
            "console/token": question(self._tokens.make, in_body=True),
            "console/token_claims": question(self._tokens.inspect, in_body=True),
        }

    def questions(self) -> dict[str, Endpoint]:
        """What is asked for by `GET`, by path below `admin/`."""
        return {
            "console/overview": question(self._overview),
            "console/channels": question(self._channels.page),
            "console/channel": question(self._channel),
            "console/connections": question(self._everywhere.connections),
            "console/connection": question(self._everywhere.connection),
            "console/explanation": question(self._everywhere.explanation),
            "console/features": question(self._features),
            "api/config": question(self._config),
            "api/channel_options": question(self._channel_options),
        }

    async def _features(self, _asked: Parameters) -> dict[str, Any]:
        """What not every console has."""
        return {"tokens": self._tokens is not None}

    def _count(self) -> tuple[int, int, int]:
        hub = self._node.hub
        return len(self._node.connections), hub.subscription_count, sum(1 for _ in hub.active_channels())

    async def _overview(self, asked: Parameters) -> dict[str, Any]:
        """The nodes, how each is doing, and the samples of `node`, or else this one, after `since` (Unix
        milliseconds)."""
        shown = asked.text("node") or self._node.uid
        return {
            "node": self._node.uid,
            "shown": shown,
            "nodes": await self._node.info(),
            **await self._everywhere.vitals(asked.but(node=shown)),
        }

    async def _vitals_here(self, asked: Parameters) -> dict[str, Any]:
        samples = self._vitals.since(asked.number("since") / 1000)
        wanted = asked.text("node") == self._node.uid
        return {"memory": resident_memory(), "last": self._vitals.last, "samples": samples if wanted else []}

    async def _channel(self, asked: Parameters) -> dict[str, Any]:
        """One channel: what the configuration says of it, and how it is delivered."""
        return await self._channels.one(asked) | await self._everywhere.deliveries(asked)

    async def _config(self, _asked: Parameters) -> dict[str, Any]:
        return described(self._loaded, self._environment)

    async def _channel_options(self, asked: Parameters) -> dict[str, Any]:
        """10 I.3: the effective options of a channel."""
        try:
            resolved = self._node.namespaces.resolve(asked.needed("channel"))
        except ReplyError:
            return {"found": False, "namespace": None, "options": {}}
        return {"found": True, "namespace": resolved.namespace, "options": resolved.options}
