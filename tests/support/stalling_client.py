"""A WebSocket client that reads only when it is told to, on a socket that holds little."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any

from websockets.client import ClientProtocol
from websockets.uri import parse_uri

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from tests.support.server import Server

PATIENCE = 15.0


class StallingClient:
    """One connection in JSON. Nothing is answered until it reads, pings and close frames neither."""

    def __init__(self, server: Server) -> None:
        self.address = ("127.0.0.1", server.port)
        self.protocol = ClientProtocol(parse_uri(server.ws_url), max_size=None)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.setblocking(False)

    async def __aenter__(self) -> Self:
        await asyncio.get_running_loop().sock_connect(self.socket, self.address)
        self.protocol.send_request(self.protocol.connect())
        await self._flush()
        await self._read()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    async def send(self, *commands: dict[str, Any]) -> None:
        """Send commands in one frame."""
        self.protocol.send_text("\n".join(map(json.dumps, commands)).encode())
        await self._flush()

    async def ended(self) -> int | None:
        """Read on, answer a close frame, and return its code if one came before the connection ended."""
        async with asyncio.timeout(PATIENCE):
            with contextlib.suppress(ConnectionError):
                while await self._read():
                    await self._flush()
        return self.protocol.close_rcvd.code if self.protocol.close_rcvd else None

    async def _read(self) -> bool:
        data = await asyncio.get_running_loop().sock_recv(self.socket, 1 << 16)
        if data:
            self.protocol.receive_data(data)
        return bool(data)

    async def _flush(self) -> None:
        for data in self.protocol.data_to_send():
            await asyncio.get_running_loop().sock_sendall(self.socket, data)
