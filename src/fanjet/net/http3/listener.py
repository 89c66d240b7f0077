"""UDP sockets and the HTTP/3 server behind them."""

import logging
import os
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .connection_ids import ConnectionIds
from .endpoint import QuicEndpoint

if TYPE_CHECKING:
    from aioquic.quic.configuration import QuicConfiguration

    from .peer_processes import PeerProcesses
    from .server import Http3Server


class Http3Listener:
    """Serves HTTP/3."""

    __slots__ = ("_endpoints", "_peers", "_sockets", "server")

    def __init__(
        self,
        server: "Http3Server",
        configuration: "QuicConfiguration",
        sockets: Iterable[socket.socket],
        peers: "PeerProcesses | None" = None,
    ) -> None:
        """Take over bound UDP sockets, whose addresses may be shared with `peers`."""
        logging.getLogger("quic").setLevel(logging.WARNING)  # it logs every connection
        ids = ConnectionIds(os.urandom(32), 0) if peers is None else ConnectionIds(peers.key, peers.number)
        self.server = server
        self._peers = peers
        self._sockets = list(sockets)
        self._endpoints = [QuicEndpoint(server, configuration, each, ids, peers) for each in self._sockets]

    async def start(self) -> None:
        """Start accepting clients."""
        if self._peers is not None:
            await self._peers.open({endpoint.local_address: endpoint.receive for endpoint in self._endpoints})
        for endpoint in self._endpoints:
            await endpoint.start()

    def close(self) -> None:
        """Accept no more clients; existing connections stay."""
        self.server.stopping = True
        if self._peers is not None and self._peers.replaced:
            for endpoint in self._endpoints:
                endpoint.stop_receiving()

    async def stop(self) -> None:
        """Wait for requests and sessions, then close."""
        await self.server.stop()
        for endpoint in self._endpoints:
            endpoint.close()
        for each in self._sockets:
            each.close()
        if self._peers is not None:
            self._peers.close()
