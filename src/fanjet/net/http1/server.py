"""What the connections of one listener share."""

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
    """Routes, deadlines, and the connections that have not been handed over by an upgrade."""

    __slots__ = ("_emptied", "awaiting_request", "common_headers", "connections", "heads", "stopping", "tls", "wheel")

    def __init__(
        self,
        routes: "Routes",
        wheel: "TimingWheel",
        *,
        tls: bool = False,
        common_headers: "Sequence[tuple[bytes, bytes]]" = (),
    ) -> None:
        """`common_headers` go with every response to a request; without any, the usual response is ready-made."""
        self.heads = HeadCache(routes)
        self.wheel = wheel
        self.awaiting_request = TimeoutQueue(wheel)
        """Connections, until the head of their first request has to be there."""
        self.tls = tls
        self.common_headers = common_headers
        self.stopping = False
        self.connections: set[HttpConnection] = set()
        self._emptied: asyncio.Event | None = None

    def new_connection(self) -> HttpConnection:
        """The protocol factory for the event loop."""
        return HttpConnection(self)

    def forget(self, connection: HttpConnection) -> None:
        """For the connection: it was closed or handed over."""
        self.connections.discard(connection)
        if self._emptied is not None and not self.connections:
            self._emptied.set()

    async def stop(self) -> None:
        """Close idle connections and wait for the others, each of which closes after the answer it owes."""
        self.stopping = True
        for connection in list(self.connections):
            connection.drain()
        if self.connections:
            self._emptied = asyncio.Event()
            await self._emptied.wait()
