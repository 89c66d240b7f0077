"""A client that speaks the protocol as it is over WebSocket, in JSON or Protobuf, so that tests see every message in
its order, every ping and the close."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import websockets
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.support import protobuf

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterator, Mapping

    from websockets.asyncio.client import ClientConnection

    from tests.support.server import Server

PATIENCE = 10.0
"""Seconds to wait for what has to come."""
PROTOBUF = Subprotocol("centrifuge-protobuf")

Fields = dict[str, Any]


class WireClient:
    """One connection. Commands and results are dictionaries in both encodings; in Protobuf, payloads are bytes.

    Pings are kept apart from messages and answered unless `answers_pings` is False.
    """

    def __init__(self, socket: ClientConnection, *, is_protobuf: bool, answers_pings: bool = True) -> None:
        self.socket = socket
        self.is_protobuf = is_protobuf
        self.answers_pings = answers_pings
        self.client_id = ""
        self.frames: list[str | bytes] = []
        """Every frame as it came."""
        self.text = ""
        """The message taken last, as it stood in its frame (JSON)."""
        self._last_id = 0
        self._passed_over: deque[tuple[Fields, str]] = deque()
        self._messages: asyncio.Queue[tuple[Fields, str]] = asyncio.Queue()
        self._pings: asyncio.Queue[float] = asyncio.Queue()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for frame in self.socket:
                self.frames.append(frame)
                for message, text in self._decoded(frame):
                    if message:
                        self._messages.put_nowait((message, text))
                        continue
                    self._pings.put_nowait(asyncio.get_running_loop().time())
                    if self.answers_pings:
                        await self.pong()
        except websockets.ConnectionClosed:
            pass

    def _decoded(self, frame: str | bytes) -> Iterator[tuple[Fields, str]]:
        if self.is_protobuf:
            assert isinstance(frame, bytes), "Protobuf comes in binary frames"
            return ((message, "") for message in protobuf.decoded(frame))
        assert isinstance(frame, str), "JSON comes in text frames"
        return ((json.loads(line), line) for line in frame.split("\n"))

    async def pong(self) -> None:
        """Answer a ping."""
        await self.socket.send(b"\0" if self.is_protobuf else "{}")

    async def send(self, *commands: Fields) -> None:
        """Send commands in one frame."""
        if self.is_protobuf:
            await self.socket.send(b"".join(map(protobuf.encoded, commands)))
        else:
            await self.socket.send("\n".join(map(json.dumps, commands)))

    async def call(self, **command: Any) -> Fields:
        """Send a command and return its result, or its reply when that is an error.

        Pushes that come before are kept for `push` and `receive`.
        """
        self._last_id += 1
        await self.send({"id": self._last_id, **command})
        passed: list[tuple[Fields, str]] = []
        while True:
            message, text = await self._next()
            if "push" not in message:
                break
            passed.append((message, text))
        self._passed_over.extend(passed)
        self.text = text
        assert message.pop("id") == self._last_id
        if "error" in message:
            return message
        (result,) = message.values()
        return dict(result)

    async def error(self, **command: Any) -> int:
        """Send a command that fails, and return the code."""
        reply = await self.call(**command)
        assert "error" in reply, reply
        assert reply["error"]["message"]
        return int(reply["error"]["code"])

    async def connect(self, **request: Any) -> Fields:
        """Connect; it has to succeed."""
        result = await self.call(connect=request)
        assert "error" not in result, result
        self.client_id = result["client"]
        return result

    async def subscribe(self, channel: str, **request: Any) -> Fields:
        """Subscribe; it has to succeed."""
        result = await self.call(subscribe={"channel": channel, **request})
        assert "error" not in result, result
        return result

    async def receive(self) -> Fields:
        """The next message, whatever it is."""
        message, self.text = self._passed_over.popleft() if self._passed_over else await self._next()
        return message

    async def push(self) -> Fields:
        """The next message, which has to be a push."""
        message = await self.receive()
        assert "push" in message, message
        return dict(message["push"])

    async def publication(self) -> Fields:
        """The next message, which has to be a publication."""
        return dict((await self.push())["pub"])

    async def pushes_so_far(self) -> list[Fields]:
        """Every push that the server had queued before it answers another command."""
        await self.call(unsubscribe={"channel": "never subscribed"})
        pushes = [dict(message["push"]) for message, _ in self._passed_over]
        self._passed_over.clear()
        return pushes

    async def ping(self) -> float:
        """Wait for a ping, and return when it came."""
        return await asyncio.wait_for(self._pings.get(), PATIENCE)

    async def closed(self) -> tuple[int | None, str | None]:
        """Code and reason with which the server closes."""
        await asyncio.wait_for(asyncio.shield(self._reader), PATIENCE)
        return self.socket.close_code, self.socket.close_reason

    def nothing_waits(self) -> bool:
        """Whether every message has been taken."""
        return self._messages.empty() and not self._passed_over

    async def _next(self) -> tuple[Fields, str]:
        take = asyncio.ensure_future(self._messages.get())
        try:
            await asyncio.wait({take, self._reader}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            if not take.done():
                code = self.socket.close_code
                raise AssertionError(f"closed with {code}" if self._reader.done() else "nothing came in time")
            return take.result()
        finally:
            take.cancel()


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
