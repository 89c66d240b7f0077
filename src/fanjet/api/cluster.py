"""Methods `info` and `channels`, and `rpc`, for which nothing is registered yet (05 §6.11-6.13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from .errors import BadRequest, NotFound
from .results import ChannelInfo, ChannelsResult, InfoResult, Metrics, NodeResult

if TYPE_CHECKING:
    from fanjet.node.registry import NodeInfo

    from .node import Node
    from .requests import ChannelsRequest, InfoRequest, RPCRequest


async def info(node: Node, _request: InfoRequest) -> InfoResult:
    """The nodes of the cluster."""
    return InfoResult([_node_result(one) for one in await node.info()])


async def channels(node: Node, request: ChannelsRequest) -> ChannelsResult:
    """Active channels that match a glob."""
    counts = await node.channels(request.pattern)
    return ChannelsResult({name: ChannelInfo(count) for name, count in counts.items()})


async def rpc(_node: Node, request: RPCRequest) -> NoReturn:
    """Every method is unknown."""
    raise NotFound if request.method else BadRequest


def _node_result(node: NodeInfo) -> NodeResult:
    return NodeResult(
        uid=node.uid,
        name=node.name,
        version=node.version,
        num_clients=node.num_clients,
        num_users=node.num_users,
        num_channels=node.num_channels,
        num_subs=node.num_subs,
        uptime=node.uptime,
        metrics=None if node.metrics is None else Metrics(node.metrics.interval, node.metrics.items),
    )
