"""A unidirectional client, by hand: it connects over one of the three HTTP transports and listens (02 §9)."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tests.support.server import Server

Push = dict[str, Any]

WEBSOCKET: Final = "uni_websocket"
SSE: Final = "uni_sse"
HTTP_STREAM: Final = "uni_http_stream"
TRANSPORTS: Final = (WEBSOCKET, SSE, HTTP_STREAM)

PATIENCE: Final = 10.0
EVENT: Final = "data: "


class Listener:
    """One connection. What comes is kept in order: pushes, pings (empty pushes) and, at last, the end."""

    def __init__(self) -> None:
        self.head = ""
        """What an SSE body begins with."""
        self.frames: list[str] = []
        """Text frames of a WebSocket, as they came."""
        self.ping_frames = 0
        self.close_frame: tuple[int, str] | None = None
        self.clean: bool | None = None
        """Whether the body, or the WebSocket by a close frame, was ended as it should be. None while it is open."""
        self.disconnect: Push | None = None
        """The last push, when it said why the connection ends."""
        self._pushes: asyncio.Queue[Push | None] = asyncio.Queue()

    async def next(self) -> Push | None:
        """What comes next, pings among it; None at the end."""
        return await asyncio.wait_for(self._pushes.get(), PATIENCE)

    async def push(self) -> Push:
        """The next push that is no ping."""
        while (push := await self.next()) == {}:
            pass
        assert push is not None, f"ended: {self.disconnect}, {self.close_frame}"
        return push

    async def connected(self) -> Push:
        """The content of the connect push."""
        push = await self.push()
        assert push.keys() == {"connect"}, push
        return dict(push["connect"])

    async def publication(self) -> Any:
        """The next publication's data."""
        push = await self.push()
        assert "pub" in push, push
        return push["pub"]["data"]

    async def closed(self) -> tuple[int, str] | None:
        """Wait for the end; what the last push said about it. There must be nothing between."""
        push = await self.next()
        while push == {}:
            push = await self.next()
        if push is None:
            return None
        assert push.keys() == {"disconnect"}, push
        self.disconnect = push["disconnect"]
        assert await self.next() is None
        return push["disconnect"]["code"], push["disconnect"]["reason"]

    def take(self, text: str) -> None:
        """A message came."""
        assert "\n" not in text
        self._pushes.put_nowait(json.loads(text))

    def end(self, *, clean: bool) -> None:
        """Nothing comes any more."""
        self.clean = clean
        self._pushes.put_nowait(None)


@asynccontextmanager
async def listening(
    server: Server,
    transport: str,
    request: Mapping[str, Any] | None = None,
    *,
    in_query: bool = False,
    answers_ping_frames: bool = True,
    url: str = "",
) -> AsyncIterator[Listener]:
    """Connect with a request, whose connect push is yet to come."""
    base, body = url or server.url, json.dumps(request or {})
    async with aiohttp.ClientSession() as http:
        if transport == WEBSOCKET:
            opened = _websocket(http, base, body, in_query=in_query, answers=answers_ping_frames)
        elif transport == SSE and in_query:
            opened = _stream(http.get(f"{base}/connection/uni_sse", params={"cf_connect": body}))
        else:
            opened = _stream(http.post(f"{base}/connection/{transport}", data=body))
        async with opened as listener:
            yield listener


@asynccontextmanager
async def raw_websocket(
    server: Server, query: str = "", **options: Any
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A WebSocket that has not sent anything; its frames, control frames too, are left to the caller."""
    url = f"{server.url}/connection/uni_websocket{query}"
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(url, autoping=False, autoclose=False, max_msg_size=0, **options) as websocket,
    ):
        yield websocket


@asynccontextmanager
async def _websocket(
    http: aiohttp.ClientSession, base: str, body: str, *, in_query: bool, answers: bool
) -> AsyncIterator[Listener]:
    params = {"cf_connect": body} if in_query else {}
    options: Any = {"autoping": False, "autoclose": False, "max_msg_size": 0}
    async with http.ws_connect(f"{base}/connection/uni_websocket", params=params, **options) as websocket:
        listener = Listener()
        reading = asyncio.create_task(_read_frames(websocket, listener, answers=answers))
        if not in_query:
            await websocket.send_str(body)
        yield listener
        reading.cancel()


async def _read_frames(websocket: aiohttp.ClientWebSocketResponse, listener: Listener, *, answers: bool) -> None:
    while True:
        frame = await websocket.receive()
        if frame.type is aiohttp.WSMsgType.TEXT:
            listener.frames.append(frame.data)
            for line in frame.data.split("\n"):
                listener.take(line)
        elif frame.type is aiohttp.WSMsgType.PING:
            listener.ping_frames += 1
            if answers:
                await websocket.pong(frame.data)
        elif frame.type is aiohttp.WSMsgType.CLOSE:
            listener.close_frame = (frame.data, frame.extra or "")
            await websocket.close()
            listener.end(clean=True)
            return
        else:
            assert frame.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.ERROR), frame
            listener.end(clean=False)
            return


@asynccontextmanager
async def _stream(asking: Any) -> AsyncIterator[Listener]:
    async with asking as response:
        assert response.status == 200, (response.status, await response.text())
        listener = Listener()
        is_sse = response.content_type == "text/event-stream"
        reading = asyncio.create_task(_read_body(response, listener, is_sse=is_sse))
        yield listener
        reading.cancel()


async def _read_body(response: aiohttp.ClientResponse, listener: Listener, *, is_sse: bool) -> None:
    rest, end = "", "\n\n" if is_sse else "\n"
    try:
        async for piece in response.content.iter_any():
            rest += piece.decode()
            if is_sse and not listener.head:
                assert rest.startswith("\r\n")
                listener.head, rest = rest[:2], rest[2:]
            *messages, rest = rest.split(end)
            for message in messages:
                assert not is_sse or message.startswith(EVENT)
                listener.take(message.removeprefix(EVENT) if is_sse else message)
        listener.end(clean=rest == "")
    except aiohttp.ClientError:
        listener.end(clean=False)
