"""A TCP relay in front of a server: the network that a test can cut or stall, and whose traffic it can count."""

import asyncio
import socket
from types import TracebackType
from typing import Self

from tests.support.server import free_port


class Relay:
    """Forwards connections to a local port. `cut` drops those that are open; while `broken`, new ones are refused.

    `window`: about how many bytes from the server it holds for a client that it has stalled; megabytes by default.
    """

    def __init__(self, port: int, *, window: int = 0) -> None:
        self.target = port
        self.port = free_port()
        self.bytes_to_client = 0
        self.accepted = 0
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._window = window
        self._flows_to_client = asyncio.Event()
        self._flows_to_client.set()
        self._left: dict[bool, int] = {}

    @property
    def url(self) -> str:
        """Base of the server's HTTP endpoints, seen through the relay."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """The WebSocket endpoint of the server, seen through the relay."""
        return f"ws://127.0.0.1:{self.port}/connection/websocket"

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.break_off()
        for _ in range(3):
            await asyncio.sleep(0)  # whoever has been accepted a moment ago
        await self.cut()

    async def mend(self) -> None:
        """Accept connections from now on."""
        if self._server is None:
            self._server = await asyncio.start_server(self._forward, "127.0.0.1", self.port)

    async def break_off(self) -> None:
        """Refuse connections from now on, and cut those that are open."""
        server, self._server = self._server, None
        if server is not None:
            # asyncio forgets connections that it has accepted, but not handed out, when the server is closed.
            for listening in server.sockets:
                asyncio.get_running_loop().remove_reader(listening.fileno())
            await asyncio.sleep(0)
            server.close()
        await self.cut()
        if server is not None:
            await server.wait_closed()

    def cut_after(self, count: int, *, to_client: bool) -> None:
        """Cut the connection on which the last of so many bytes passes in that direction, be it within a message."""
        self._left[to_client] = count

    def heal(self) -> None:
        """Cut none any more that has not been cut."""
        self._left.clear()

    def stall(self) -> None:
        """Let clients receive nothing more."""
        self._flows_to_client.clear()

    def flow(self) -> None:
        """Let clients receive what has been held back, and what comes."""
        self._flows_to_client.set()

    async def cut(self) -> None:
        """Reset every open connection, in both directions."""
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        await asyncio.sleep(0)  # an aborted transport is closed in the loop's next round

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        self.accepted += 1
        ends = [writer]
        try:
            if self._server is None:  # it was accepted, and then the relay was broken
                return
            far_reader, far = await self._reach_target()
            ends.append(far)
            await asyncio.gather(self._pump(reader, far), self._pump(far_reader, writer, count=True))
        except (OSError, asyncio.CancelledError):
            pass  # one end is gone, so is the other then, or both were cut
        finally:
            self._links.discard(link)
            for end in ends:
                end.transport.abort()

    async def _reach_target(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if not self._window:
            return await asyncio.open_connection("127.0.0.1", self.target)
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._window)
        narrow.setblocking(False)
        await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", self.target))
        return await asyncio.open_connection(sock=narrow, limit=self._window)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, count: bool = False) -> None:
        while data := await source.read(65536):
            if count:
                await self._flows_to_client.wait()
                self.bytes_to_client += len(data)
            sink.write(data[: self._left.get(count)])
            await sink.drain()
            self._count_down(len(data), to_client=count)
        if sink.can_write_eof():
            sink.write_eof()

    def _count_down(self, size: int, *, to_client: bool) -> None:
        """Raises `ConnectionResetError` when the connection is to be cut."""
        if to_client in self._left:
            self._left[to_client] -= size
            if self._left[to_client] <= 0:
                del self._left[to_client]
                raise ConnectionResetError
