"""A client that speaks the protocol as it is over HTTP streaming, in JSON or Protobuf, and over SSE."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.support import protobuf
from tests.support.conversation import PATIENCE, Conversation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from tests.support.conversation import Fields
    from tests.support.server import Server

BINARY = "application/octet-stream"


class StreamClient(Conversation):
    """One connection: the first frame opens the response, every other one is a request of its own."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        *,
        transport: str,
        is_protobuf: bool = False,
        answers_pings: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(is_protobuf=is_protobuf, answers_pings=answers_pings)
        self.session = ""
        self.node = ""
        self.body = b""
        """All that has come so far."""
        self.broken_off = False
        """Whether the body ended without its end."""
        self.response: aiohttp.ClientResponse | None = None
        self._http = http
        self.url = url
        self._transport = transport
        self._headers = dict(headers or {})
        self._disconnect: tuple[int | None, str | None] = (None, None)
        self._reader: asyncio.Task[None] | None = None
        self._rest = b""

    async def send_frame(self, frame: str | bytes) -> None:
        """Open the response with the first frame, send others after it."""
        if self.response is None:
            await self.open(frame)
        else:
            assert await self.emulate(frame) == 204

    async def open(self, frame: str | bytes) -> aiohttp.ClientResponse:
        """Ask for the stream with its first frame of commands."""
        self.response = await self._ask(frame)
        if self.response.status == 200:
            self._reader = asyncio.create_task(self._read(self.response))
        return self.response

    async def _ask(self, frame: str | bytes) -> aiohttp.ClientResponse:
        if self._transport == "sse":
            params = {"cf_connect": frame if isinstance(frame, str) else frame.decode()}
            return await self._http.get(f"{self.url}/connection/sse", params=params, headers=self._headers)
        headers = {**self._headers, "Content-Type": BINARY if self.is_protobuf else "application/json"}
        return await self._http.post(f"{self.url}/connection/http_stream", data=frame, headers=headers)

    async def emulate(self, frame: str | bytes) -> int:
        """Send a frame by a request of its own; returns the status."""
        return await self.post_emulation(self.emulation_request(frame))

    def emulation_request(self, frame: str | bytes) -> bytes:
        """The body that brings a frame."""
        if isinstance(frame, str):
            return json.dumps({"session": self.session, "node": self.node, "data": frame}).encode()
        fields = (self.node.encode(), self.session.encode(), frame)
        return b"".join(
            bytes([number << 3 | 2]) + protobuf.varint(len(value)) + value
            for number, value in enumerate(fields, start=1)
        )

    async def post_emulation(self, body: bytes) -> int:
        """Send the body of an emulation request as it is; returns the status."""
        headers = {"Content-Type": BINARY if self.is_protobuf else "application/json"}
        async with self._http.post(f"{self.url}/emulation", data=body, headers=headers) as answer:
            assert await answer.read() == b""
            return answer.status

    async def connect(self, **request: Any) -> Fields:
        """Connect, and note what other requests have to name."""
        result = await super().connect(**request)
        self.session, self.node = result["session"], result["node"]
        return result

    async def closed(self) -> tuple[int | None, str | None]:
        """Wait for the end of the body; what the disconnect push before it said."""
        assert self._reader is not None
        await asyncio.wait_for(asyncio.shield(self._reader), PATIENCE)
        return self._disconnect

    def leave(self) -> None:
        """Drop the connection without a word."""
        if self.response is not None:
            self.response.close()

    async def _read(self, response: aiohttp.ClientResponse) -> None:
        try:
            async for piece in response.content.iter_any():
                self.body += piece
                self._rest += piece
                for frame in self._frames():
                    for message, text in self.messages_of(frame):
                        await self._take(message, text)
        except aiohttp.ClientError:
            self.broken_off = True
        finally:
            self._ended.set()

    async def _take(self, message: Fields, text: str) -> None:
        disconnect = message.get("push", {}).get("disconnect")
        if disconnect is None:
            await self.take(message, text)
        else:
            self._disconnect = (disconnect["code"], disconnect["reason"])

    def _frames(self) -> Iterator[str | bytes]:
        """What is whole of that which has come and has not been taken."""
        if self.is_protobuf:
            whole = protobuf.whole_messages(self._rest)
            frame, self._rest = self._rest[:whole], self._rest[whole:]
            if frame:
                yield frame
            return
        end = b"\n\n" if self._transport == "sse" else b"\n"
        self._rest = self._rest.removeprefix(b"\r\n")
        *frames, self._rest = self._rest.split(end)
        start = b"data: " if self._transport == "sse" else b""
        for frame in frames:
            assert frame.startswith(start)
            assert b"\n" not in frame
            assert b"\r" not in frame
            yield frame.removeprefix(start).decode()


@asynccontextmanager
async def stream_opened(server: Server, transport: str, *, url: str = "", **how: Any) -> AsyncIterator[StreamClient]:
    """A client that has not sent anything; `transport` is `http_stream` or `sse`, `how` goes to `StreamClient`.

    `url`: base of the endpoints, that of the server unless given.
    """
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=PATIENCE)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        client = StreamClient(http, url or server.url, transport=transport, **how)
        try:
            yield client
        finally:
            client.leave()
            if client._reader is not None:
                client._reader.cancel()
