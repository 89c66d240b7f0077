"""A client that speaks the protocol as it is over WebSocket, in JSON or Protobuf."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import websockets
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.support.conversation import PATIENCE, Conversation

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping

    from websockets.asyncio.client import ClientConnection

    from tests.support.server import Server

PROTOBUF = Subprotocol("centrifuge-protobuf")


class WireClient(Conversation):
    """One WebSocket."""

    def __init__(self, socket: ClientConnection, *, is_protobuf: bool, answers_pings: bool = True) -> None:
        super().__init__(is_protobuf=is_protobuf, answers_pings=answers_pings)
        self.socket = socket
        self.frames: list[str | bytes] = []
        """Every frame as it came."""
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for frame in self.socket:
                self.frames.append(frame)
                for message, text in self.messages_of(frame):
                    await self.take(message, text)
        except websockets.ConnectionClosed:
            pass
        finally:
            self._ended.set()

    async def send_frame(self, frame: str | bytes) -> None:
        """Send a frame of commands as it is."""
        await self.socket.send(frame)

    async def closed(self) -> tuple[int | None, str | None]:
        """Code and reason with which the server closes."""
        await asyncio.wait_for(asyncio.shield(self._reader), PATIENCE)
        return self.socket.close_code, self.socket.close_reason


@asynccontextmanager
async def opened(
    server: Server,
    *,
    is_protobuf: bool = False,
    answers_pings: bool = True,
    query: str = "",
    url: str = "",
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    compression: str | None = None,
) -> AsyncIterator[WireClient]:
    """A client whose WebSocket is open and that has not sent anything."""
    async with connect(
        (url or server.ws_url) + query,
        subprotocols=[PROTOBUF] if is_protobuf else None,
        additional_headers=headers,
        ssl=tls,
        compression=compression,
        ping_interval=None,
        max_size=None,
    ) as socket:
        yield WireClient(socket, is_protobuf=is_protobuf, answers_pings=answers_pings)


@asynccontextmanager
async def connected(server: Server, token: str = "", **how: Any) -> AsyncIterator[WireClient]:
    """A client that has connected, with a token or without; `how` is passed to `opened`."""
    async with opened(server, **how) as client:
        await client.connect(**({"token": token} if token else {}))
        yield client
