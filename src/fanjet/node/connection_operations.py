"""Operations on connections of this node.

The server API or another node requests them (07 §14.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.net.time_slicing import run_all
from fanjet.protocol.codes import ERROR_INTERNAL, ReplyError

if TYPE_CHECKING:
    from fanjet.channels.subscription import SubscriptionOptions
    from fanjet.protocol.codes import Disconnect, Unsubscribe
    from fanjet.protocol.publication import StreamPosition

    from .connection_filter import ConnectionFilter
    from .connections import Connections


class ConnectionOperations:
    """Runs operations on selected connections, concurrently.

    None waits for the engine calls of another.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def subscribe(
        self,
        connection_filter: ConnectionFilter,
        channel: str,
        options: SubscriptionOptions,
        since: StreamPosition | None,
    ) -> None:
        """Subscribe (05 §6.3).

        Every connection is tried; raises error 100 when one of them failed.
        """
        connections = self._connections.select(connection_filter)
        try:
            await run_all(one.subscribe_by_server(channel, options, since) for one in connections)
        except ReplyError as error:
            raise ReplyError(ERROR_INTERNAL) from error

    async def unsubscribe(self, connection_filter: ConnectionFilter, channel: str, unsubscribe: Unsubscribe) -> None:
        """Unsubscribe (05 §6.4)."""
        connections = self._connections.select(connection_filter)
        await run_all(one.unsubscribe_by_server(channel, unsubscribe) for one in connections)

    def disconnect(self, connection_filter: ConnectionFilter, disconnect: Disconnect) -> None:
        """Close (05 §6.5)."""
        for one in self._connections.select(connection_filter):
            one.disconnect(disconnect)

    def refresh(self, connection_filter: ConnectionFilter, *, expired: bool, expire_at: int, info: bytes) -> None:
        """Set the expiry (05 §6.6)."""
        for one in self._connections.select(connection_filter):
            one.refresh_by_server(expired=expired, expire_at=expire_at, info=info)
