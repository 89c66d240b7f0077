"""Listening sockets and the HTTP server behind them."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import TYPE_CHECKING, Any, Final, Protocol

from .tls_acceptor import TLSAcceptor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .timing_wheel import TimingWheel
    from .tls_acceptor import Contexts

BACKLOG: Final = 4096
_LEAVE_THE_FILE: Final[dict[str, Any]] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
"""The creator of a socket file removes it, which may be another process."""


class ListenerServer(Protocol):
    """Serves accepted connections: an HTTP server of any version."""

    wheel: TimingWheel

    def new_connection(self) -> asyncio.Protocol:
        """Create the protocol of one connection."""

    async def stop(self) -> None:
        """Close idle connections and wait for requests in progress."""


class Listener:
    """Accepts connections for one server."""

    __slots__ = ("_acceptor", "_servers", "_sockets", "http", "port")

    def __init__(self, http: ListenerServer, sockets: Iterable[socket.socket], tls: Contexts | None = None) -> None:
        """Take over bound sockets; with `tls`, clients must start with TLS."""
        self.http = http
        self._sockets = list(sockets)
        self._acceptor = TLSAcceptor(http.wheel, http.new_connection, tls) if tls is not None else None
        self._servers: list[asyncio.Server] = []
        first = self._sockets[0]
        self.port: int = 0 if first.family == socket.AF_UNIX else first.getsockname()[1]
        """The bound port; 0 for a Unix socket."""

    async def start(self) -> None:
        """Start accepting connections."""
        if self._acceptor is not None:
            for each in self._sockets:
                each.listen(BACKLOG)
            self._acceptor.start(self._sockets)
            return
        loop = asyncio.get_running_loop()
        for each in self._sockets:
            if each.family == socket.AF_UNIX:
                server = await loop.create_unix_server(
                    self.http.new_connection, sock=each, backlog=BACKLOG, **_LEAVE_THE_FILE
                )
            else:
                server = await loop.create_server(self.http.new_connection, sock=each, backlog=BACKLOG)
            self._servers.append(server)

    def close(self) -> None:
        """Stop accepting. Existing connections stay open."""
        if self._acceptor is not None:
            self._acceptor.close()
        for server in self._servers:
            server.close()
        for each in self._sockets:
            each.close()

    async def stop(self) -> None:
        """Stop accepting, close idle connections, wait for requests in progress."""
        self.close()
        await self.http.stop()
