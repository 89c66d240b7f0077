"""A node without connections: the real memory engine behind it, and a record of what it was told to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fanjet.config.tree.channel import ChannelOptions
from fanjet.engines.memory import MemoryBroker, MemoryPresenceManager
from fanjet.node.registry import NodeInfo, NodeMetrics
from fanjet.protocol.codes import (
    ERROR_BAD_REQUEST,
    ERROR_INTERNAL,
    ERROR_UNKNOWN_CHANNEL,
    ERROR_UNRECOVERABLE_POSITION,
    ReplyError,
)

if TYPE_CHECKING:
    from fanjet.channels.subscription import SubscriptionOptions
    from fanjet.engines.interfaces import History, Published, PublishOptions
    from fanjet.node.connection_filter import ConnectionFilter
    from fanjet.node.rpc_methods import RPCMethod
    from fanjet.protocol.codes import Disconnect, Unsubscribe
    from fanjet.protocol.publication import ClientInfo, Publication, StreamPosition

OPTIONS = {
    "": ChannelOptions(),
    "ns": ChannelOptions(history_size=10, history_ttl=60, presence=True),
    "m": ChannelOptions(subscription_type="map"),
    "poll": ChannelOptions(subscription_type="shared_poll"),
    "json": ChannelOptions(publication_data_format="json"),
    "object": ChannelOptions(publication_data_format="json_object"),
    "binary": ChannelOptions(publication_data_format="binary", history_size=10, history_ttl=60),
    "delta": ChannelOptions(delta_publish=True),
}

NODE = NodeInfo(
    "uid-1", "node-1", "0.1.0 OSS", 0, 0, 0, 0, uptime=7, metrics=NodeMetrics(interval=60.0, items={"a": 1.5})
)


@dataclass
class FakeNode:
    """Implements `fanjet.api.node.Node`."""

    shutting_down: bool = False
    keeps_order: bool = False
    failure: Exception | None = None
    """What every call that reaches the engine or the connections raises."""
    published: list[tuple[str, Publication, bool]] = field(default_factory=list)
    commands: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    active: dict[str, int] = field(default_factory=dict)
    survey_timeout: list[float] = field(default_factory=list)
    """How many seconds other nodes were given to tell their channels."""
    rpc_methods: dict[str, RPCMethod] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.broker = MemoryBroker(self)
        self.presence_manager = MemoryPresenceManager()

    # BrokerEvents

    def on_publication(
        self, channel: str, publication: Publication, _epoch: str, *, use_delta: bool, previous: Publication | None
    ) -> None:
        self.published.append((channel, publication, use_delta))

    def on_join(self, channel: str, info: ClientInfo) -> None:
        raise NotImplementedError

    def on_leave(self, channel: str, info: ClientInfo) -> None:
        raise NotImplementedError

    def on_publication_pending(self) -> None:
        raise NotImplementedError

    def on_restored(self) -> None:
        raise NotImplementedError

    # Node

    def resolve(self, channel: str) -> ChannelOptions:
        namespace, boundary, _ = channel.partition(":")
        options = OPTIONS.get(namespace if boundary else "")
        if options is None:
            raise ReplyError(ERROR_UNKNOWN_CHANNEL)
        return options

    async def publish(self, channel: str, data: bytes, options: PublishOptions) -> Published:
        self._fail()
        return await self.broker.publish(channel, data, options)

    async def history(
        self, channel: str, *, since: StreamPosition | None, limit: int, reverse: bool, meta_ttl: int
    ) -> History:
        self._fail()
        if reverse and since is not None and since.offset == 0:
            raise ReplyError(ERROR_BAD_REQUEST)
        read = await self.broker.history(channel, since=since, limit=limit, reverse=reverse, meta_ttl=meta_ttl)
        if since is not None and since.epoch and since.epoch != read.top.epoch:
            raise ReplyError(ERROR_UNRECOVERABLE_POSITION)
        return read

    async def remove_history(self, channel: str) -> None:
        self._fail()
        await self.broker.remove_history(channel)

    async def presence(self, channel: str) -> dict[str, ClientInfo]:
        self._fail()
        return await self.presence_manager.presence(channel)

    async def presence_stats(self, channel: str) -> tuple[int, int]:
        self._fail()
        return await self.presence_manager.presence_stats(channel)

    async def subscribe(
        self,
        connection_filter: ConnectionFilter,
        channel: str,
        options: SubscriptionOptions,
        since: StreamPosition | None,
    ) -> None:
        self._record("subscribe", connection_filter, channel=channel, options=options, since=since)

    async def unsubscribe(self, connection_filter: ConnectionFilter, channel: str, unsubscribe: Unsubscribe) -> None:
        self._record("unsubscribe", connection_filter, channel=channel, code=unsubscribe.code)

    async def disconnect(self, connection_filter: ConnectionFilter, disconnect: Disconnect) -> None:
        whitelist = sorted(connection_filter.whitelist)
        self._record(
            "disconnect", connection_filter, code=disconnect.code, reason=disconnect.reason, whitelist=whitelist
        )

    async def refresh(self, connection_filter: ConnectionFilter, *, expired: bool, expire_at: int, info: bytes) -> None:
        self._record("refresh", connection_filter, expired=expired, expire_at=expire_at, info=info)

    async def info(self) -> list[NodeInfo]:
        self._fail()
        return [NODE]

    async def channels(self, pattern: str, *, within: float) -> dict[str, int]:
        self.survey_timeout.append(within)
        self._fail()
        if pattern == "[":
            raise ReplyError(ERROR_INTERNAL)
        return {name: count for name, count in self.active.items() if name.startswith(pattern)}

    def _record(self, command: str, connection_filter: ConnectionFilter, **rest: Any) -> None:
        self._fail()
        selected = {
            "user": connection_filter.user,
            "client": connection_filter.client,
            "session": connection_filter.session,
        }
        self.commands.append((command, selected | rest))

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure
