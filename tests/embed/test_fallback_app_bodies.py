"""Bodies of requests over HTTP/2 and HTTP/3 to a fallback ASGI application."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.embed.servers import make_server
from tests.support.certificates import issue
from tests.support.http2_client import Http2Client, fields
from tests.support.http3_client import Http3Client, connected
from tests.support.server import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

LARGEST_WINDOW = 1 << 18


class Upload(Protocol):
    """One request whose body is being sent."""

    sent: int

    async def send(self, size: int) -> None:
        """Send bytes as far as the server lets them through; what it has not let through within a moment is left."""

    def give_up(self) -> None: ...

    async def answer(self) -> tuple[int, bytes]:
        """End the body and wait for the response."""


class Http2Upload:
    def __init__(self, client: Http2Client) -> None:
        self.client = client
        self.number = client.send(fields("POST", "/upload"), end=False)
        self.sent = 0

    async def send(self, size: int) -> None:
        while size > 0:
            room = min(size, self.client.engine.local_flow_control_window(self.number), 16384)
            if room:
                self.client.send_data(self.number, bytes(room))
                self.sent += room
                size -= room
            else:
                try:
                    async with asyncio.timeout(0.5):
                        await self.client.change()
                except TimeoutError:
                    return

    def give_up(self) -> None:
        self.client.reset(self.number)

    async def answer(self) -> tuple[int, bytes]:
        if not self.client.answers[self.number].over:
            self.client.send_data(self.number, b"", end=True)
        answer = await self.client.whole(self.number)
        return answer.status, bytes(answer.body)


class Http3Upload:
    """QUIC keeps what the server has no window for, so that much is found out from what it still keeps."""

    def __init__(self, client: Http3Client) -> None:
        self.client = client
        self.id = client.begin("POST", "/upload", end=False)
        self.sent = 0

    async def send(self, size: int) -> None:
        if self._is_wanted:
            self.client.send(self.id, bytes(size))
        before = -1
        while before != self.sent and self._is_wanted:
            before = self.sent
            await asyncio.sleep(0.5)
            stream = self.client._quic._streams.get(self.id)
            if stream is None or not len(stream.sender._pending):
                return
            self.sent = stream.sender._pending[0].start

    @property
    def _is_wanted(self) -> bool:
        stream = self.client.streams[self.id]
        return not stream.over and stream.stopped is None

    def give_up(self) -> None:
        self.client.cancel(self.id)

    async def answer(self) -> tuple[int, bytes]:
        if self._is_wanted:
            self.client.send(self.id, b"", end=True)
        response = await self.client.response(self.id)
        return response.status, response.body


@asynccontextmanager
async def by_http2(application: Any) -> AsyncIterator[Callable[[], Upload]]:
    async with make_server(
        {"http_server": {"h2c_external": True, "internal_port": str(free_port())}}, asgi=application
    ) as server:
        client = await Http2Client.open(server.port)
        await client.until(lambda: client.engine.remote_settings.max_concurrent_streams == 250)
        yield lambda: Http2Upload(client)
        await client.close()


@asynccontextmanager
async def by_http3(application: Any) -> AsyncIterator[Callable[[], Upload]]:
    pytest.importorskip("aioquic")
    pair = issue()
    tls = {"enabled": True, "cert_pem": pair.certificate, "key_pem": pair.key}
    http = {"address": "127.0.0.1", "port": 0, "tls": tls, "http3": {"enabled": True}}
    async with make_server({"http_server": http}, asgi=application) as server, connected(server.port) as client:
        yield lambda: Http3Upload(client)


@pytest.fixture(params=[by_http2, by_http3])
def served(request: pytest.FixtureRequest) -> Any:
    """A function from an application to what begins uploads to it."""
    return request.param


async def respond(send: Any, status: int, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body})


def ended_lifespan(scope: Any) -> None:
    if scope["type"] == "lifespan":
        raise RuntimeError("not needed")


async def test_long_bodies_come_in_pieces(served: Any) -> None:
    sizes: list[int] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        ended_lifespan(scope)
        more = True
        while more:
            message = await receive()
            sizes.append(len(message["body"]))
            more = message["more_body"]
        await respond(send, 200, b"%d" % sum(sizes))

    async with served(application) as begin:
        upload = begin()
        await upload.send(3_000_000)
        assert await upload.answer() == (200, b"3000000")
        empty = begin()
        sizes.clear()
        assert await empty.answer() == (200, b"0")
    assert max(sizes) <= 2 * LARGEST_WINDOW


async def test_a_client_waits_while_the_application_does_not_read(served: Any) -> None:
    gate = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        ended_lifespan(scope)
        await receive()
        await gate.wait()
        total = 0
        while (message := await receive())["more_body"]:
            total += len(message["body"])
        await respond(send, 200, b"read")

    async with served(application) as begin:
        upload = begin()
        await upload.send(2_000_000)
        assert upload.sent < 1_000_000
        gate.set()
        await upload.send(2_000_000 - upload.sent if isinstance(upload, Http2Upload) else 1)
        assert await upload.answer() == (200, b"read")


async def test_a_client_that_disconnects_is_reported(served: Any) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        ended_lifespan(scope)
        while (message := await receive())["type"] == "http.request":
            heard.put_nowait("piece")
        heard.put_nowait(message["type"])

    async with served(application) as begin:
        upload = begin()
        await upload.send(1000)
        assert await asyncio.wait_for(heard.get(), 10) == "piece"
        upload.give_up()
        while (what := await asyncio.wait_for(heard.get(), 10)) == "piece":
            pass
        assert what == "http.disconnect"


async def test_unread_bodies_do_not_block_other_streams(served: Any) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        ended_lifespan(scope)
        await respond(send, 403, b"no")

    async with served(application) as begin:
        for _ in range(12):
            upload = begin()
            await upload.send(100_000)
            assert await upload.answer() == (403, b"no")
