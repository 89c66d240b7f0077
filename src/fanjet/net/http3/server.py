"""State shared by the HTTP/3 connections of one listener."""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..router import Routes
    from ..timing_wheel import TimingWheel
    from .connection import Http3Connection


class Http3Server:
    """Routes, timers and open connections."""

    __slots__ = ("_emptied", "connections", "routes", "stopping", "webtransport", "wheel")

    def __init__(self, routes: "Routes", wheel: "TimingWheel", *, webtransport: bool) -> None:
        """`webtransport`: advertise WebTransport."""
        self.routes = routes
        self.wheel = wheel
        self.webtransport = webtransport
        self.stopping = False
        self.connections: set[Http3Connection] = set()
        self._emptied: asyncio.Event | None = None

    def forget(self, connection: "Http3Connection") -> None:
        """A connection has ended."""
        self.connections.discard(connection)
        self._check_drained()

    def on_idle(self, connection: "Http3Connection") -> None:
        """A connection has become idle."""
        if self.stopping:
            connection.close()
            self._check_drained()

    async def stop(self) -> None:
        """Close idle connections and wait for requests and sessions of the others."""
        self.stopping = True
        for connection in list(self.connections):
            connection.stop()
        self._emptied = asyncio.Event()
        self._check_drained()
        await self._emptied.wait()

    def _check_drained(self) -> None:
        if self._emptied is not None and all(connection.is_idle for connection in self.connections):
            self._emptied.set()
