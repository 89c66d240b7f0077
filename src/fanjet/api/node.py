"""What the API needs of the node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from fanjet.channels.subscription import SubscriptionOptions
    from fanjet.config.tree.channel import ChannelOptions
    from fanjet.engines.interfaces import History, Published, PublishOptions
    from fanjet.node.connection_filter import ConnectionFilter
    from fanjet.node.registry import NodeInfo
    from fanjet.node.rpc_methods import RPCMethod
    from fanjet.protocol.codes import Disconnect, Unsubscribe
    from fanjet.protocol.publication import ClientInfo, StreamPosition


class Node(Protocol):
    """The cluster seen from one node. Calls raise `ReplyError` for what the contract names, anything for a failure."""

    @property
    def shutting_down(self) -> bool:
        """Whether the node has begun to stop."""

    @property
    def rpc_methods(self) -> Mapping[str, RPCMethod]:
        """What the method `rpc` calls, by name (05 §6.13)."""

    @property
    def keeps_order(self) -> bool:
        """Whether publishes are carried out in the order in which they were begun."""

    def resolve(self, channel: str) -> ChannelOptions:
        """Options of a channel. Raises error 102 when its namespace does not exist."""

    def publish(self, channel: str, data: bytes, options: PublishOptions) -> Awaitable[Published]:
        """Publish into a channel (05 §7); see `Broker.publish`."""

    async def history(
        self, channel: str, *, since: StreamPosition | None, limit: int, reverse: bool, meta_ttl: int
    ) -> History:
        """Read a stream. Raises error 107 for a reverse read from offset 0, 112 for a position of another epoch."""

    async def remove_history(self, channel: str) -> None:
        """Drop a channel's stored publications."""

    async def presence(self, channel: str) -> dict[str, ClientInfo]:
        """Who is in a channel, by client id. Not to be changed."""

    async def presence_stats(self, channel: str) -> tuple[int, int]:
        """How many clients and how many users are in a channel."""

    async def subscribe(
        self,
        connection_filter: ConnectionFilter,
        channel: str,
        options: SubscriptionOptions,
        since: StreamPosition | None,
    ) -> None:
        """Subscribe connections (05 §6.3). Every one is tried; raises when one of them failed."""

    async def unsubscribe(self, connection_filter: ConnectionFilter, channel: str, unsubscribe: Unsubscribe) -> None:
        """Unsubscribe connections (05 §6.4)."""

    async def disconnect(self, connection_filter: ConnectionFilter, disconnect: Disconnect) -> None:
        """Close connections (05 §6.5)."""

    async def refresh(self, connection_filter: ConnectionFilter, *, expired: bool, expire_at: int, info: bytes) -> None:
        """Move the expiry of connections (05 §6.6)."""

    async def info(self) -> list[NodeInfo]:
        """The nodes of the cluster."""

    async def channels(self, pattern: str, *, within: float) -> dict[str, int]:
        """Active channels that match a glob (empty: all) with their number of subscriptions. Raises error 100 on an
        invalid pattern."""
