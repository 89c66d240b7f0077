"""UDP sockets with the HTTP/3 server behind them."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ..binding import BindError, join_address
from .endpoint import QuicEndpoint

if TYPE_CHECKING:
    from aioquic.quic.configuration import QuicConfiguration

    from .server import Http3Server

RECEIVE_BUFFER: Final = 4 << 20
"""Bytes of datagrams that may wait in the kernel, if it lets us."""


class Http3Listener:
    """Serves HTTP/3 on the addresses of a TCP listener."""

    __slots__ = ("_configuration", "_endpoints", "_sockets", "server")

    def __init__(
        self, server: "Http3Server", configuration: "QuicConfiguration", beside: Iterable[socket.socket]
    ) -> None:
        """Bind the addresses of the sockets `beside` for UDP. Raises `BindError`."""
        logging.getLogger("quic").setLevel(logging.WARNING)  # it has something to say about every connection
        self.server = server
        self._configuration = configuration
        self._sockets = [_bind_beside(each) for each in beside]
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


def _bind_beside(tcp: socket.socket) -> socket.socket:
    address = tcp.getsockname()
    created = socket.socket(tcp.family, socket.SOCK_DGRAM)
    try:
        created.setblocking(False)
        with contextlib.suppress(OSError):
            created.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        if tcp.family == socket.AF_INET6:
            only = tcp.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
            created.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        created.bind(address)
    except OSError as error:
        created.close()
        raise BindError(error.errno, f"listen udp {join_address(*address[:2])}: bind: {error.strerror}") from error
    return created
