"""State shared by the HTTP/1.1 connections of one listener."""

import asyncio
from typing import TYPE_CHECKING

from ..timeout_queue import TimeoutQueue
from .connection import HttpConnection
from .head_cache import HeadCache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..router import Routes
    from ..timing_wheel import TimingWheel


class HttpServer:
    """Routes, timers, and the connections that were not upgraded."""

    __slots__ = ("_emptied", "awaiting_request", "common_headers", "connections", "heads", "stopping", "tls", "wheel")

    def __init__(
        self,
        routes: "Routes",
        wheel: "TimingWheel",
        *,
        tls: bool = False,
        common_headers: "Sequence[tuple[bytes, bytes]]" = (),
    ) -> None:
        """Create the server's state.

        `common_headers` are added to every response; without any, the usual response is precomputed.
        """
        self.heads = HeadCache(routes)
        self.wheel = wheel
        self.awaiting_request = TimeoutQueue(wheel)
        """Connections whose first request head has not arrived, with its deadline."""
        self.tls = tls
        self.common_headers = common_headers
        self.stopping = False
        self.connections: set[HttpConnection] = set()
        self._emptied: asyncio.Event | None = None

    def new_connection(self) -> HttpConnection:
        """The protocol factory of the event loop."""
        return HttpConnection(self)

    def forget(self, connection: HttpConnection) -> None:
        """For the connection: it was closed or upgraded."""
        self.connections.discard(connection)
        if self._emptied is not None and not self.connections:
            self._emptied.set()

    async def stop(self) -> None:
        """Close idle connections and wait for the others.

        Those close after the pending response.
        """
        self.stopping = True
        for connection in list(self.connections):
            connection.drain()
        if self.connections:
            self._emptied = asyncio.Event()
            await self._emptied.wait()
