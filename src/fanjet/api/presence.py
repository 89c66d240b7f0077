"""Methods `presence` and `presence_stats` (05 §6.7, §6.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import BadRequest, NotAvailable
from .results import PresenceResult, PresenceStatsResult, client_info

if TYPE_CHECKING:
    from .node import Node
    from .requests import PresenceRequest, PresenceStatsRequest


async def presence(node: Node, request: PresenceRequest) -> PresenceResult:
    """List the clients in a channel across the cluster."""
    _require_presence(node, request.channel)
    present = await node.presence(request.channel)
    return PresenceResult({client: client_info(info) for client, info in present.items()})


async def presence_stats(node: Node, request: PresenceStatsRequest) -> PresenceStatsResult:
    """Count the clients and distinct users in a channel."""
    _require_presence(node, request.channel)
    num_clients, num_users = await node.presence_stats(request.channel)
    return PresenceStatsResult(num_clients, num_users)


def _require_presence(node: Node, channel: str) -> None:
    if not channel:
        raise BadRequest
    if not node.resolve(channel).presence:
        raise NotAvailable
