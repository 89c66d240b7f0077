"""Converts between control messages and the node's types (07 §14.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.channels.subscription import Source, SubscriptionOptions
from fanjet.node.connection_filter import ConnectionFilter
from fanjet.node.proto import control_pb2 as pb
from fanjet.node.registry import NodeInfo, NodeMetrics
from fanjet.protocol.messages import FilterNode
from fanjet.protocol.publication import StreamPosition

if TYPE_CHECKING:
    from fanjet.protocol.codes import Disconnect, Unsubscribe


def node_message(node: NodeInfo, *, with_metrics: bool) -> pb.Node:
    """Encode a node's info; metrics are sent once per snapshot."""
    metrics = None
    if with_metrics and node.metrics is not None:
        metrics = pb.Metrics(interval=node.metrics.interval, items=node.metrics.items)
    return pb.Node(
        uid=node.uid,
        name=node.name,
        version=node.version,
        num_clients=node.num_clients,
        num_users=node.num_users,
        num_channels=node.num_channels,
        num_subs=node.num_subs,
        uptime=node.uptime,
        metrics=metrics,
    )


def node_of(message: pb.Node) -> NodeInfo:
    """Decode a node's info."""
    metrics = None
    if message.HasField("metrics"):
        metrics = NodeMetrics(message.metrics.interval, dict(message.metrics.items))
    return NodeInfo(
        uid=message.uid,
        name=message.name,
        version=message.version,
        num_clients=message.num_clients,
        num_users=message.num_users,
        num_subs=message.num_subs,
        num_channels=message.num_channels,
        uptime=message.uptime,
        metrics=metrics,
    )


def subscribe_message(
    connection_filter: ConnectionFilter, channel: str, options: SubscriptionOptions, since: StreamPosition | None
) -> pb.Subscribe:
    """Encode a subscribe operation; only these options are transferred (07 §14.4)."""
    return pb.Subscribe(
        user=connection_filter.user,
        channel=channel,
        emit_presence=options.presence,
        emit_join_leave=options.join_leave,
        expire_at=options.expire_at,
        position=options.positioning,
        recover=options.recovery,
        channel_info=options.chan_info,
        client=connection_filter.client,
        data=options.data,
        recover_since=None if since is None else pb.StreamPosition(offset=since.offset, epoch=since.epoch),
        session=connection_filter.session,
        push_join_leave=options.push_join_leave,
        source=options.source,
        label_filter=_filter_message(connection_filter.label_filter),
        all_users=connection_filter.all_users,
    )


def options_of(message: pb.Subscribe) -> SubscriptionOptions:
    """Decode the options of a subscribe operation."""
    known = message.source in Source.__members__.values()
    return SubscriptionOptions(
        Source(message.source) if known else Source.UNKNOWN,
        presence=message.emit_presence,
        join_leave=message.emit_join_leave,
        push_join_leave=message.push_join_leave,
        positioning=message.position,
        recovery=message.recover,
        chan_info=message.channel_info,
        data=message.data,
        expire_at=message.expire_at,
    )


def position_of(message: pb.Subscribe) -> StreamPosition | None:
    """Decode the stream position to recover from."""
    if not message.HasField("recover_since"):
        return None
    return StreamPosition(message.recover_since.offset, message.recover_since.epoch)


def unsubscribe_message(connection_filter: ConnectionFilter, channel: str, unsubscribe: Unsubscribe) -> pb.Unsubscribe:
    """Encode an unsubscribe operation."""
    return pb.Unsubscribe(
        channel=channel,
        user=connection_filter.user,
        client=connection_filter.client,
        session=connection_filter.session,
        code=unsubscribe.code,
        reason=unsubscribe.reason,
        label_filter=_filter_message(connection_filter.label_filter),
        all_users=connection_filter.all_users,
    )


def disconnect_message(connection_filter: ConnectionFilter, disconnect: Disconnect) -> pb.Disconnect:
    """Encode a disconnect operation."""
    return pb.Disconnect(
        user=connection_filter.user,
        whitelist=connection_filter.whitelist,
        code=disconnect.code,
        reason=disconnect.reason,
        client=connection_filter.client,
        session=connection_filter.session,
        label_filter=_filter_message(connection_filter.label_filter),
        all_users=connection_filter.all_users,
    )


def refresh_message(connection_filter: ConnectionFilter, *, expired: bool, expire_at: int, info: bytes) -> pb.Refresh:
    """Encode a refresh operation."""
    return pb.Refresh(
        user=connection_filter.user,
        client=connection_filter.client,
        expired=expired,
        expire_at=expire_at,
        info=info,
        session=connection_filter.session,
        label_filter=_filter_message(connection_filter.label_filter),
        all_users=connection_filter.all_users,
    )


def connection_filter_of(message: pb.Subscribe | pb.Unsubscribe | pb.Disconnect | pb.Refresh) -> ConnectionFilter:
    """Decode the connection filter of an operation."""
    return ConnectionFilter(
        user=message.user,
        client=message.client,
        session=message.session,
        whitelist=frozenset(message.whitelist) if isinstance(message, pb.Disconnect) else (),
        label_filter=_filter_of(message.label_filter) if message.HasField("label_filter") else None,
        all_users=message.all_users,
    )


def _filter_message(node: FilterNode | None) -> pb.FilterNode | None:
    if node is None:
        return None
    return pb.FilterNode(
        op=node.op,
        key=node.key,
        cmp=node.cmp,
        val=node.val,
        vals=node.vals,
        nodes=[message for each in node.nodes if (message := _filter_message(each)) is not None],
    )


def _filter_of(message: pb.FilterNode) -> FilterNode:
    return FilterNode(
        op=message.op,
        key=message.key,
        cmp=message.cmp,
        val=message.val,
        vals=list(message.vals),
        nodes=[_filter_of(each) for each in message.nodes],
    )
