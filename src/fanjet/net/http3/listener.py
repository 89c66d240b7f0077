"""UDP sockets with the HTTP/3 server behind them."""

import asyncio
import logging
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .endpoint import QuicEndpoint

if TYPE_CHECKING:
    from aioquic.quic.configuration import QuicConfiguration

    from .server import Http3Server


class Http3Listener:
    """Serves HTTP/3."""

    __slots__ = ("_configuration", "_endpoints", "_sockets", "server")

    def __init__(
        self, server: "Http3Server", configuration: "QuicConfiguration", sockets: Iterable[socket.socket]
    ) -> None:
        """Take over bound UDP sockets."""
        logging.getLogger("quic").setLevel(logging.WARNING)  # it has something to say about every connection
        self.server = server
        self._configuration = configuration
        self._sockets = list(sockets)
        self._endpoints: list[QuicEndpoint] = []

    async def start(self) -> None:
        """Answer clients from now on."""
        loop = asyncio.get_running_loop()
        for each in self._sockets:
            endpoint = QuicEndpoint(self.server, self._configuration)
            await loop.create_datagram_endpoint(lambda made=endpoint: made, sock=each)  # type: ignore[misc]
            self._endpoints.append(endpoint)

    def close(self) -> None:
        """Take no more clients; those that there are stay."""
        self.server.stopping = True

    async def stop(self) -> None:
        """Wait for requests and sessions, then close what is left."""
        await self.server.stop()
        for endpoint in self._endpoints:
            endpoint.close()
        for each in self._sockets:
            each.close()
