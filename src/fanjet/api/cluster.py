"""Methods `info`, `channels` and `rpc` (05 §6.11-6.13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import BadRequest, NotFound
from .results import ChannelInfo, ChannelsResult, InfoResult, Metrics, NodeResult, RPCResult, optional_payload
from .survey_timeout import survey_timeout

if TYPE_CHECKING:
    from fanjet.node.registry import NodeInfo, NodeMetrics

    from .node import Node
    from .requests import ChannelsRequest, InfoRequest, RPCRequest


async def info(node: Node, _request: InfoRequest) -> InfoResult:
    """List the nodes of the cluster."""
    return InfoResult([_node_result(one) for one in await node.info()])


async def channels(node: Node, request: ChannelsRequest) -> ChannelsResult:
    """List active channels that match a glob."""
    counts = await node.channels(request.pattern, within=survey_timeout.get())
    return ChannelsResult({name: ChannelInfo(count) for name, count in counts.items()})


async def rpc(node: Node, request: RPCRequest) -> RPCResult:
    """Call an RPC method. Only an embedding program can register some."""
    if not request.method:
        raise BadRequest
    procedure = node.rpc_methods.get(request.method)
    if procedure is None:
        raise NotFound
    return RPCResult(optional_payload(await procedure(bytes(request.params))))


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
        metrics=None if node.metrics is None else _metrics(node.metrics),
    )


def _metrics(metrics: NodeMetrics) -> Metrics:
    """Convert metrics; whole numbers have no decimal point, as in Centrifugo."""
    items = {name: _number(value) for name, value in metrics.items.items()}
    return Metrics(_number(metrics.interval), items)


def _number(value: float) -> float:
    return int(value) if value.is_integer() else value
