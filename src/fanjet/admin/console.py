"""What the console asks for beside the contract's endpoints, below `admin/console/` and, as 10 I names them, below
`admin/api/`. All of it needs the same authentication."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanjet.protocol.codes import ReplyError

from .channel_pages import ChannelPages
from .configuration import described
from .connection_pages import ConnectionPages
from .question import question
from .vitals import Vitals, resident_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fanjet.config import Loaded
    from fanjet.net.router import Endpoint
    from fanjet.node.node import Node

    from .question import Parameters


class Console:
    """Answers the console's questions. `now`: monotonic seconds of the connections' deadlines; `totals`: what has been
    counted so far, by name."""

    def __init__(
        self,
        node: Node,
        loaded: Loaded,
        environment: Mapping[str, str],
        *,
        now: Callable[[], float],
        totals: Callable[[], Mapping[str, float]],
    ) -> None:
        self._node = node
        self._loaded = loaded
        self._environment = environment
        self._channels = ChannelPages(node)
        self._connections = ConnectionPages(node, now)
        self._vitals = Vitals(self._count, totals)

    def endpoints(self) -> dict[str, Endpoint]:
        """The questions by their path below `admin/`."""
        return {
            "console/overview": question(self._overview),
            "console/channels": question(self._channels.page),
            "console/channel": question(self._channels.one),
            "console/connections": question(self._connections.page),
            "console/connection": question(self._connections.one),
            "api/config": question(self._config),
            "api/channel_options": question(self._channel_options),
        }

    def _count(self) -> tuple[int, int, int]:
        hub = self._node.hub
        return len(self._node.connections), hub.subscription_count, sum(1 for _ in hub.active_channels())

    async def _overview(self, asked: Parameters) -> dict[str, Any]:
        """The nodes, and this one's vitals after `since` (Unix milliseconds)."""
        return {
            "node": self._node.uid,
            "nodes": await self._node.info(),
            "memory": resident_memory(),
            "samples": self._vitals.since(asked.number("since") / 1000),
        }

    async def _config(self, _asked: Parameters) -> dict[str, Any]:
        return described(self._loaded, self._environment)

    async def _channel_options(self, asked: Parameters) -> dict[str, Any]:
        """10 I.3: the effective options of a channel."""
        try:
            resolved = self._node.namespaces.resolve(asked.needed("channel"))
        except ReplyError:
            return {"found": False, "namespace": None, "options": {}}
        return {"found": True, "namespace": resolved.namespace, "options": resolved.options}
