"""An ASGI application as fallback on the same port."""

from __future__ import annotations

import asyncio
import io
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

import fanjet
from tests.embed.servers import connected, make_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.005)


class Recorder:
    """An application that calls a test's function, and records lifespan events."""

    def __init__(self, serve: Any) -> None:
        self.serve = serve
        self.lifespan: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self.serve(scope, receive, send)
            return
        scope["state"]["greeting"] = "hello"
        for event in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{event}"
            self.lifespan.append(event)
            await send({"type": f"lifespan.{event}.complete"})


async def whole_body(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        assert message["type"] == "http.request"
        body += message["body"]
        if not message["more_body"]:
            return body


async def respond(send: Any, body: bytes, status: int = 200, headers: Any = ()) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def beside(
    serve: Any, over: dict[str, Any] | None = None
) -> AsyncIterator[tuple[fanjet.Server, aiohttp.ClientSession]]:
    server = make_server(over, asgi=Recorder(serve))

    @server.on_connect
    async def connect(event: fanjet.ConnectEvent) -> fanjet.ConnectReply:
        return fanjet.ConnectReply(user="u")

    async with server, aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
        yield server, session


async def test_requests_of_both_share_a_port_and_a_connection() -> None:
    async def serve(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, scope["path"].encode(), headers=[(b"content-type", b"text/x")])

    async with beside(serve, {"health": {"enabled": True}}) as (server, session):
        for path, text in (("/", "/"), ("/health", "{}"), ("/a//b/%C3%A9", "/a//b/é"), ("/health", "{}"), ("/api", "")):
            async with session.get(path) as response:
                assert await response.text() == text
        assert len(session.connector._conns) == 1  # type: ignore[union-attr]
        async with connected(server) as client:
            await client.subscribe("news:x")


async def test_the_scope_describes_the_request() -> None:
    scopes: list[Any] = []

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await respond(send, b"")

    async with beside(serve) as (server, session), session.get("/p%20q?a=%26", headers={"X-One": "1"}):
        port = server.port
    (scope,) = scopes
    assert (scope["type"], scope["method"], scope["scheme"]) == ("http", "GET", "http")
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/p q", b"/p%20q", b"a=%26")
    assert (b"x-one", b"1") in scope["headers"]
    assert scope["server"] == ("127.0.0.1", port)
    assert scope["client"][0] == "127.0.0.1"
    assert scope["state"] == {"greeting": "hello"}


@pytest.mark.parametrize("chunked", [False, True])
async def test_bodies_come_in_pieces_and_may_be_long(chunked: bool) -> None:
    sizes: list[int] = []

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        total, more = 0, True
        while more:
            message = await receive()
            sizes.append(len(message["body"]))
            total, more = total + sizes[-1], message["more_body"]
        await respond(send, b"%d" % total)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 50_000

    async with beside(serve) as (_, session):
        for _ in range(2):
            async with session.post("/", data=pieces() if chunked else io.BytesIO(b"x" * 5_000_000)) as response:
                assert await response.text() == "5000000"
        assert len(session.connector._conns) == 1  # type: ignore[union-attr]
    assert max(sizes) < 1_000_000


async def test_a_client_waits_while_the_application_does_not_read() -> None:
    gate, sent = asyncio.Event(), 0

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await gate.wait()
        await whole_body(receive)
        await respond(send, b"read")

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        for sent in range(400):  # noqa: B007
            yield b"x" * 100_000

    async with beside(serve) as (_, session):
        posting = asyncio.ensure_future(session.post("/", data=pieces()))
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 350
        gate.set()
        async with await posting as response:
            assert await response.text() == "read"


async def test_100_continue_is_sent_when_the_application_reads() -> None:
    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/refuse":
            await respond(send, b"no", 403)
        else:
            await respond(send, await whole_body(receive))

    async with beside(serve) as (_, session):
        async with session.post("/take", data=b"body", expect100=True) as response:
            assert await response.text() == "body"
        async with session.post("/refuse", data=b"body", expect100=True) as response:
            assert (response.status, await response.text()) == (403, "no")


async def test_a_response_before_the_whole_body_closes_the_connection() -> None:
    async def serve(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, b"too long", 413)

    async with beside(serve) as (server, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close" in answer


async def test_responses_are_streamed_and_slow_clients_awaited() -> None:
    sent = 0
    gone = asyncio.Event()

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        assert (await receive())["type"] == "http.request"
        watching = asyncio.ensure_future(receive())
        while not watching.done():
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
            sent += 1
            await asyncio.sleep(0)
        assert watching.result()["type"] == "http.disconnect"
        gone.set()

    async with beside(serve) as (_, session):
        async with session.get("/") as response:
            assert await response.content.readexactly(5) == b"first"
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.1)
            assert sent < 500
            response.close()
        await asyncio.wait_for(gone.wait(), 5)


@pytest.mark.parametrize("begun", [False, True])
async def test_a_failing_application_gives_an_error_response(begun: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
        raise RuntimeError("broken")

    async with beside(serve) as (_, session):
        if begun:
            with pytest.raises(aiohttp.ClientPayloadError):
                async with session.get("/") as response:
                    await response.read()
        else:
            async with session.get("/") as response:
                assert response.status == 500
    assert "broken" in caplog.text


async def test_websockets_carry_text_and_bytes() -> None:
    async def serve(scope: Any, receive: Any, send: Any) -> None:
        assert (scope["type"], scope["scheme"], scope["subprotocols"]) == ("websocket", "ws", ["one", "two"])
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept", "subprotocol": "two", "headers": [(b"x-extra", b"1")]})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", **{key: message[key] for key in ("text", "bytes") if key in message}})
            if message.get("text") == "bye":
                await send({"type": "websocket.close", "code": 4000, "reason": "bye"})

    async with beside(serve) as (_, session), session.ws_connect("/ws", protocols=["one", "two"]) as socket:
        assert socket.protocol == "two"
        assert socket._response.headers["x-extra"] == "1"
        await socket.send_str("é")
        assert await socket.receive_str() == "é"
        await socket.send_bytes(b"\xff")
        assert await socket.receive_bytes() == b"\xff"
        await socket.send_str("x" * 200_000)
        assert len(await socket.receive_str()) == 200_000
        await socket.send_str("bye")
        assert await socket.receive_str() == "bye"
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 4000


async def test_applications_learn_how_a_websocket_ended_and_may_refuse_one() -> None:
    codes: list[int] = []

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if scope["path"] == "/refuse":
            await send({"type": "websocket.close"})
            return
        await send({"type": "websocket.accept"})
        codes.append((await receive())["code"])

    async with beside(serve) as (_, session):
        socket = await session.ws_connect("/ws")
        await socket.close(code=4100)
        await until(lambda: codes == [4100])
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await session.ws_connect("/refuse")
        assert refusal.value.status == 403


async def test_shutdown_closes_websockets_then_waits_for_requests_then_ends_the_lifespan() -> None:
    gate, asked = asyncio.Event(), asyncio.Event()

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await receive()
            return
        asked.set()
        await gate.wait()
        await respond(send, b"finished")

    recorder = Recorder(serve)
    server = make_server(asgi=recorder)
    async with aiohttp.ClientSession() as session:
        await server.start()
        socket = await session.ws_connect(f"http://127.0.0.1:{server.port}/ws")
        asking = asyncio.ensure_future(session.get(f"http://127.0.0.1:{server.port}/"))
        await asked.wait()
        assert recorder.lifespan == ["startup"]
        stopping = asyncio.ensure_future(server.stop())
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 1012
        gate.set()
        async with await asking as response:
            assert await response.text() == "finished"
        await stopping
    assert recorder.lifespan == ["startup", "shutdown"]


async def test_endless_requests_are_cancelled_after_half_of_the_shutdown_timeout() -> None:
    async def serve(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await asyncio.Event().wait()

    server = make_server({"shutdown": {"timeout": "6s"}}, asgi=serve)
    await server.start()
    async with aiohttp.ClientSession() as session:
        response = await session.get(f"http://127.0.0.1:{server.port}/")
        await asyncio.wait_for(server.stop(), 5.9)
        response.close()


async def test_a_failing_application_startup_fails_the_start() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    server = make_server(asgi=application)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no database"):
            await server.start()
