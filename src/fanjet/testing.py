"""Servers and clients for the tests of applications (fixtures: `pytest_plugin`)."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from fanjet.embed.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from websockets.asyncio.client import ClientConnection

TIMEOUT_SECONDS: Final = 5.0
"""Seconds that clients wait for an expected message."""

OPEN: Final[Mapping[str, Any]] = {
    "client": {"insecure": True},
    "channel": {"without_namespace": {"presence": True, "history_size": 100, "history_ttl": "1m"}},
}
"""The default of the fixture `fanjet_config`: everything is allowed."""


class Refused(Exception):  # noqa: N818 (says what happened)
    """The server replied to a command with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code


class TestClient:
    """A connected client. Messages arrive in order."""

    __test__ = False

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._last_id = 0
        self._pushes: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._replies: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reading = asyncio.create_task(self._read())

    async def call(self, command: str, **request: Any) -> dict[str, Any]:
        """Send a command and return its result.

        Raises `Refused`, `ConnectionError` when the connection ends.
        """
        self._last_id += 1
        reply = self._replies[self._last_id] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"id": self._last_id, command: request}))
        answer = await asyncio.wait_for(reply, TIMEOUT_SECONDS)
        if "error" in answer:
            raise Refused(answer["error"]["code"], answer["error"]["message"])
        return dict(answer.get(command, {}))

    async def subscribe(self, channel: str, **request: Any) -> dict[str, Any]:
        """Subscribe and return the result. Raises as `call`."""
        return await self.call("subscribe", channel=channel, **request)

    async def publish(self, channel: str, data: Any) -> None:
        """Publish. Raises as `call`."""
        await self.call("publish", channel=channel, data=data)

    async def rpc(self, method: str, data: Any = None) -> Any:
        """Call a method and return its data. Raises as `call`."""
        return (await self.call("rpc", method=method, data=data)).get("data")

    async def push(self) -> dict[str, Any]:
        """The next push of any kind, with its channel."""
        return await asyncio.wait_for(self._pushes.get(), TIMEOUT_SECONDS)

    async def publication(self) -> Any:
        """The data of the next publication; other pushes are skipped."""
        while "pub" not in (push := await self.push()):
            pass
        return push["pub"]["data"]

    async def _read(self) -> None:
        try:
            async for frame in self._socket:
                for line in str(frame).split("\n"):
                    await self._take(json.loads(line))
        except ConnectionClosed:
            pass  # pending calls get the error below
        finally:
            for reply in self._replies.values():
                if not reply.done():
                    code, reason = self._socket.close_code, self._socket.close_reason
                    reply.set_exception(ConnectionError(f"closed with {code} {reason}"))

    async def _take(self, message: dict[str, Any]) -> None:
        if not message:
            await self._socket.send("{}")
        elif "push" in message:
            self._pushes.put_nowait(message["push"])
        elif not (reply := self._replies.pop(message["id"])).done():
            reply.set_result(message)


class TestServer(Server):
    """A server on a free port of this machine."""

    __test__ = False

    def __init__(self, configuration: Mapping[str, Any], **how: Any) -> None:
        """`how` is passed to `fanjet.Server`."""
        super().__init__(configuration, **{"address": "127.0.0.1", "port": 0, **how})

    @property
    def url(self) -> str:
        """Base of its HTTP endpoints."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """The WebSocket URL for clients."""
        return f"ws://127.0.0.1:{self.port}/connection/websocket"

    @asynccontextmanager
    async def client(self, *channels: str, **request: Any) -> AsyncIterator[TestClient]:
        """A connected client that has subscribed to channels.

        It has connected with the fields of its connect `request` (`token`, `data`, …). Raises as `TestClient.call`.
        """
        async with connect(self.ws_url, ping_interval=None) as socket:
            client = TestClient(socket)
            await client.call("connect", **request)
            for channel in channels:
                await client.subscribe(channel)
            yield client
