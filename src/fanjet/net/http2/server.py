"""State shared by the HTTP/2 connections of one listener."""

import asyncio
from typing import TYPE_CHECKING, Final

from .connection import Http2Connection
from .keepalive import ConnectionTimeouts

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..timing_wheel import TimingWheel
    from .stream import Http2Stream, StreamReceiver

MAX_STREAMS: Final = 250


class Http2Server:
    """The stream handler, timeouts and open connections."""

    __slots__ = (
        "_emptied",
        "accept",
        "connections",
        "extended_connect",
        "max_streams",
        "stopping",
        "timeouts",
        "wheel",
    )

    def __init__(
        self,
        accept: "Callable[[Http2Stream], StreamReceiver]",
        wheel: "TimingWheel",
        *,
        timeouts: ConnectionTimeouts | None = None,
        max_streams: int = MAX_STREAMS,
        extended_connect: bool = False,
    ) -> None:
        """Create the server's state.

        `accept` is called with the header fields of each request, and may respond to or reset its stream at once. A
        connection may have `max_streams` open streams. `extended_connect` advertises RFC 8441: CONNECT with a
        `:protocol`.
        """
        self.accept = accept
        self.wheel = wheel
        self.timeouts = timeouts or ConnectionTimeouts()
        self.max_streams = max_streams
        self.extended_connect = extended_connect
        self.stopping = False
        self.connections: set[Http2Connection] = set()
        self._emptied: asyncio.Event | None = None

    def new_connection(self) -> Http2Connection:
        """The protocol factory of the event loop."""
        return Http2Connection(self)

    def forget(self, connection: Http2Connection) -> None:
        """For the connection: it was closed."""
        self.connections.discard(connection)
        if self._emptied is not None and not self.connections:
            self._emptied.set()

    async def stop(self) -> None:
        """Send GOAWAY to all clients, and wait for requests in progress."""
        self.stopping = True
        for connection in list(self.connections):
            connection.start_draining()
        if self.connections:
            self._emptied = asyncio.Event()
            await self._emptied.wait()
