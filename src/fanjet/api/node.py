"""The interface of the node that the server API uses."""

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
    """Cluster operations of a node.

    Methods raise `ReplyError` for errors of the contract, and any exception for a failure.
    """

    @property
    def shutting_down(self) -> bool:
        """Whether the node is shutting down."""

    @property
    def rpc_methods(self) -> Mapping[str, RPCMethod]:
        """RPC methods by name (05 §6.13)."""

    @property
    def keeps_order(self) -> bool:
        """Whether publishes are executed in the order in which they were started."""

    def resolve(self, channel: str) -> ChannelOptions:
        """Return the options of a channel.

        Raises error 102 when its namespace does not exist.
        """

    def publish(self, channel: str, data: bytes, options: PublishOptions) -> Awaitable[Published]:
        """Publish into a channel (05 §7); see `Broker.publish`."""

    async def history(
        self, channel: str, *, since: StreamPosition | None, limit: int, reverse: bool, meta_ttl: int
    ) -> History:
        """Read a stream.

        Raises error 107 for a reverse read from offset 0, 112 for a position of another epoch.
        """

    async def remove_history(self, channel: str) -> None:
        """Remove a channel's stored publications."""

    async def presence(self, channel: str) -> dict[str, ClientInfo]:
        """Return the presence of a channel by client id. The caller must not modify it."""

    async def presence_stats(self, channel: str) -> tuple[int, int]:
        """Return the numbers of clients and of distinct users in a channel."""

    async def subscribe(
        self,
        connection_filter: ConnectionFilter,
        channel: str,
        options: SubscriptionOptions,
        since: StreamPosition | None,
    ) -> None:
        """Subscribe connections (05 §6.3). All are tried; raises if one of them failed."""

    async def unsubscribe(self, connection_filter: ConnectionFilter, channel: str, unsubscribe: Unsubscribe) -> None:
        """Unsubscribe connections (05 §6.4)."""

    async def disconnect(self, connection_filter: ConnectionFilter, disconnect: Disconnect) -> None:
        """Close connections (05 §6.5)."""

    async def refresh(self, connection_filter: ConnectionFilter, *, expired: bool, expire_at: int, info: bytes) -> None:
        """Change the expiry of connections (05 §6.6)."""

    async def info(self) -> list[NodeInfo]:
        """List the nodes of the cluster."""

    async def channels(self, pattern: str, *, within: float) -> dict[str, int]:
        """Return the subscription counts of active channels that match a glob.

        An empty pattern matches all. `within`: timeout in seconds. Raises error 100 on an invalid pattern.
        """
