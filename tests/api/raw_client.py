"""A client that speaks the JSON protocol as it is, so that tests see every push and the close."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import websockets
from websockets.asyncio.client import connect

from tests.support.tokens import token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from websockets.asyncio.client import ClientConnection

    from tests.support.server import Server

PATIENCE = 5.0
"""Seconds to wait for what has to come."""


class RawClient:
    """One connection. Pings are answered; replies and pushes are kept apart."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.client_id = ""
        self._last_id = 0
        self._replies: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._pushes: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for frame in self.socket:
                for line in str(frame).split("\n"):
                    message = json.loads(line)
                    if not message:
                        await self.socket.send("{}")
                    elif "push" in message:
                        self._pushes.put_nowait({**message["push"], "text": line})
                    else:
                        self._replies.put_nowait(message)
        except websockets.ConnectionClosed:
            pass

    async def call(self, **command: Any) -> dict[str, Any]:
        """Send a command and return the reply to it."""
        self._last_id += 1
        await self.socket.send(json.dumps({"id": self._last_id, **command}))
        reply = await asyncio.wait_for(self._replies.get(), PATIENCE)
        assert reply["id"] == self._last_id
        return reply

    async def subscribe(self, channel: str) -> None:
        """Subscribe; it has to succeed."""
        assert "subscribe" in await self.call(subscribe={"channel": channel})

    async def push(self) -> dict[str, Any]:
        """The next push; `text` in it is the line as it came."""
        return await asyncio.wait_for(self._pushes.get(), PATIENCE)

    async def closed(self) -> tuple[int | None, str | None]:
        """Code and reason with which the server closes."""
        await asyncio.wait_for(self._reader, PATIENCE)
        return self.socket.close_code, self.socket.close_reason

    def no_push_waits(self) -> bool:
        """Whether every push has been taken."""
        return self._pushes.empty()


@asynccontextmanager
async def connected(server: Server, user: str = "ann", **claims: Any) -> AsyncIterator[RawClient]:
    """A client that has connected with a token."""
    async with connect(server.ws_url, ping_interval=None) as socket:
        client = RawClient(socket)
        reply = await client.call(connect={"token": token(user, **claims)})
        client.client_id = reply["connect"]["client"]
        yield client
