"""The server as an application inside uvicorn and hypercorn."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from websockets.asyncio.client import connect as connect_socket
from websockets.exceptions import InvalidStatus

import fanjet
from tests.embed.hosts import HOSTS, uvicorn_with
from tests.embed.servers import CHAT
from tests.support.certificates import issue
from tests.support.relay import Relay
from tests.support.stream_client import stream_opened
from tests.support.wire_client import opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.embed.hosts import Hosting
    from tests.support.conversation import Conversation

EVERYTHING: dict[str, Any] = {
    **CHAT,
    "client": {"insecure": True, "allowed_origins": ["https://friend.example"]},
    "http_api": {"key": "secret"},
    "sse": {"enabled": True},
    "http_stream": {"enabled": True},
    "uni_sse": {"enabled": True},
    "uni_websocket": {"enabled": True},
    "health": {"enabled": True},
    "prometheus": {"enabled": True, "instrument_http_handlers": True},
    "init": {"enabled": True},
}
WAYS = ["websocket-json", "websocket-protobuf", "sse", "http_stream-json", "http_stream-protobuf"]


@pytest.fixture(params=HOSTS.values(), ids=HOSTS.keys())
def host(request: pytest.FixtureRequest) -> Hosting:
    return request.param  # type: ignore[no-any-return]


def make_server(over: dict[str, Any] | None = None, **how: Any) -> fanjet.Server:
    return fanjet.Server(EVERYTHING | (over or {}), **how)


@asynccontextmanager
async def entered(port: int, way: str = "websocket-json", root: str = "", **how: Any) -> AsyncIterator[Conversation]:
    """A client that has not sent anything."""
    transport, _, encoding = way.partition("-")
    base = f"http://127.0.0.1:{port}{root}"
    how["is_protobuf"] = encoding == "protobuf"
    if transport == "websocket":
        url = base.replace("http", "ws", 1) + "/connection/websocket"
        async with opened(SimpleNamespace(), url=url, **how) as client:  # type: ignore[arg-type]  # only its URL is asked for
            yield client
    else:
        async with stream_opened(SimpleNamespace(url=base), transport, url=base, **how) as client:  # type: ignore[arg-type]
            yield client


@pytest.mark.parametrize("way", WAYS)
async def test_clients_connect_publish_and_listen(host: Hosting, way: str) -> None:
    server = make_server()

    @server.on_connect
    async def connect(event: fanjet.ConnectEvent) -> fanjet.ConnectReply:
        return fanjet.ConnectReply(user="u")

    async with host(server.asgi()) as port, entered(port, way) as client:
        await client.connect()
        await client.subscribe("news:x")
        for number in range(50):
            await server.api.publish("news:x", {"n": number})
        received = [(await client.publication())["data"] for _ in range(50)]
        decoded = [json.loads(data) if isinstance(data, bytes) else data for data in received]
        assert decoded == [{"n": number} for number in range(50)]
        await server.api.disconnect("u", code=4000, reason="enough")
        assert await client.closed() == (4000, "enough")


@pytest.mark.parametrize("protocol", ["centrifuge-json", "centrifuge-protobuf"])
async def test_subprotocols_are_agreed_on(host: Hosting, protocol: str) -> None:
    async with (
        host(make_server().asgi()) as port,
        connect_socket(f"ws://127.0.0.1:{port}/connection/websocket", subprotocols=["other", protocol]) as socket,  # type: ignore[list-item]
    ):
        assert socket.subprotocol == protocol


async def test_refusals_have_the_status_that_they_have_elsewhere(host: Hosting) -> None:
    async with host(make_server().asgi()) as port:
        for path, origin, status in (
            ("/connection/websocket", "https://stranger.example", 403),
            ("/connection/uni_websocket?cf_connect=nonsense", "https://friend.example", 400),
            ("/api/publish", None, 405),
            ("/nowhere", None, 404),
        ):
            with pytest.raises(InvalidStatus) as refusal:
                await connect_socket(f"ws://127.0.0.1:{port}{path}", origin=origin)  # type: ignore[arg-type]
            assert refusal.value.response.status_code == status


async def test_a_limit_of_connections_holds(host: Hosting) -> None:
    server = make_server({"client": {"insecure": True, "connection_limit": 1}})
    async with host(server.asgi()) as port, entered(port) as client:
        await client.connect()
        with pytest.raises(InvalidStatus) as refusal:
            await connect_socket(f"ws://127.0.0.1:{port}/connection/websocket")
        assert refusal.value.response.status_code == 503


async def test_messages_that_are_too_long_or_no_commands_end_the_connection(host: Hosting) -> None:
    server = make_server({"websocket": {"message_size_limit": 1000}})
    async with host(server.asgi()) as port:
        for frame, code in (("x" * 1001, 1009), ("nonsense", 3501)):
            async with entered(port) as client:
                await client.connect()
                await client.send_frame(frame)
                assert (await client.closed())[0] == code


async def test_the_api_health_and_metrics_are_served(host: Hosting) -> None:
    server = make_server()
    async with host(server.asgi()) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        key = {"X-API-Key": "secret"}
        async with session.post("/api/publish", json={"channel": "news:x", "data": 1}, headers=key) as response:
            assert (response.status, await response.json()) == (200, {"result": {}})
        async with session.post("/api/publish", data=b"{}") as response:
            assert response.status == 401
        async with session.get("/health") as response:
            assert (response.status, await response.text()) == (200, "{}")
        async with session.head("/health") as response:
            assert (response.status, response.headers["Content-Length"]) == (200, "2")
        async with session.get("/metrics") as response:
            assert "node_incoming_http_requests_total" in await response.text()
        async with session.get("/connection/websocket") as response:
            assert response.status == 400
        async with session.delete("/connection/sse") as response:
            assert response.status == 405


async def test_requests_across_origins_are_allowed_to_friends(host: Hosting) -> None:
    async with host(make_server().asgi()) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        for origin, allowed in (("https://friend.example", True), ("https://stranger.example", False)):
            async with session.options("/emulation", headers={"Origin": origin}) as response:
                assert response.status == 204
                assert (response.headers.get("Access-Control-Allow-Origin") == origin) is allowed


@pytest.mark.parametrize("chunked", [False, True])
async def test_bodies_over_the_limit_are_refused(host: Hosting, chunked: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 5000

    async with host(make_server().asgi()) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        body = pieces() if chunked else b"x" * 100_000
        async with session.post("/connection/sse", data=body) as response:
            assert response.status == 413


async def test_leave_to_send_a_body_is_given_to_those_who_may(host: Hosting) -> None:
    async with host(make_server().asgi()) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        for key, status in (("secret", 200), ("wrong", 401)):
            body = b'{"channel":"news:x","data":1}'
            headers = {"X-API-Key": key}
            async with session.post("/api/publish", data=body, headers=headers, expect100=True) as response:
                assert response.status == status


@pytest.mark.parametrize("way", ["websocket-json", "sse"])
async def test_clients_that_leave_are_missed(host: Hosting, way: str) -> None:
    left: asyncio.Queue[str] = asyncio.Queue()
    server = make_server()

    @server.on_disconnect
    async def disconnect(event: fanjet.DisconnectEvent) -> None:
        left.put_nowait(event.client)

    async with host(server.asgi()) as port:
        async with entered(port, way) as client:
            result = await client.connect()
        assert await asyncio.wait_for(left.get(), 10) == result["client"]


@pytest.mark.parametrize("way", ["websocket-json", "sse"])
async def test_a_slow_reader_is_sent_away_and_holds_up_nobody(host: Hosting, way: str) -> None:
    left: asyncio.Queue[int] = asyncio.Queue()
    server = make_server({"client": {"insecure": True, "queue_max_size": 300_000}})

    @server.on_disconnect
    async def disconnect(event: fanjet.DisconnectEvent) -> None:
        left.put_nowait(event.code)

    async with (
        host(server.asgi()) as port,
        Relay(port, window=4096) as relay,
        entered(port, way) as reader,
        entered(relay.port, way) as slow,
    ):
        for client in (reader, slow):
            await client.connect()
            await client.subscribe("news:x")
        relay.stall()
        sent = 0
        while left.empty() and sent < 500:
            await server.api.publish("news:x", "x" * 60_000)
            sent += 1
            await reader.publication()
        assert await asyncio.wait_for(left.get(), 10) == 3008
        relay.flow()


@pytest.mark.parametrize("way", ["websocket-json", "sse"])
async def test_a_write_that_nobody_takes_has_its_time(host: Hosting, way: str) -> None:
    left: asyncio.Queue[int] = asyncio.Queue()
    server = make_server(
        {"client": {"insecure": True, "queue_max_size": 1 << 30}, "websocket": {"write_timeout": "1s"}}
    )

    @server.on_disconnect
    async def disconnect(event: fanjet.DisconnectEvent) -> None:
        left.put_nowait(event.code)

    async with host(server.asgi()) as port, Relay(port, window=4096) as relay, entered(relay.port, way) as slow:
        await slow.connect()
        await slow.subscribe("news:x")
        relay.stall()
        for _ in range(200):
            await server.api.publish("news:x", "x" * 100_000)
            await asyncio.sleep(0)
        assert await asyncio.wait_for(left.get(), 20) == 3009
        relay.flow()


async def test_shutdown_says_goodbye_to_everybody() -> None:
    server = make_server()
    async with uvicorn_with(server.asgi()) as port, entered(port) as socket, entered(port, "sse") as stream:
        for client in (socket, stream):
            await client.connect()
        server._stop_early()  # what signals lead to
        for client in (socket, stream):
            assert await client.closed() == (3001, "shutdown")
        assert server._stopping is not None
        await server._stopping
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/health") as response:
            assert response.status == 503


@pytest.mark.parametrize("root", ["/live", ""])
async def test_the_lifespan_starts_and_stops_the_server(root: str) -> None:
    server = make_server()
    async with uvicorn_with(server.asgi(), root_path=root) as port:  # behind a proxy that takes the root away
        await server.api.publish("news:x", 1)
        async with entered(port) as client:
            await client.connect()
    with pytest.raises(RuntimeError, match="does not run"):
        _ = server.api


async def test_a_server_that_cannot_start_fails_the_lifespan() -> None:
    server = make_server()

    @server.on_subscribe("nowhere")
    async def subscribe(event: fanjet.SubscribeEvent) -> None: ...

    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    await server.asgi()({"type": "lifespan"}, receive, send)
    assert sent[0]["type"] == "lifespan.startup.failed"
    assert "nowhere" in sent[0]["message"]


async def test_the_first_request_starts_the_server() -> None:
    server = make_server()
    async with uvicorn_with(server.asgi(), lifespan="off") as port:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            answers = await asyncio.gather(*(session.get("/health") for _ in range(5)))
        assert [answer.status for answer in answers] == [200] * 5
        await server.stop()
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/health") as response:
            assert response.status == 200
        await server.stop()


async def test_a_server_runs_in_one_event_loop() -> None:
    application = make_server().asgi()
    async with uvicorn_with(application):

        async def call() -> None:
            await application({"type": "http"}, None, None)  # type: ignore[arg-type]  # it does not come that far

        with pytest.raises(RuntimeError, match="another event loop"):
            await asyncio.to_thread(asyncio.run, call())


@pytest.mark.parametrize("key", ["http_server.tls.enabled", "http_server.http3.enabled", "webtransport.enabled"])
async def test_settings_of_listeners_are_refused(key: str) -> None:
    pair = issue()
    tls = {"enabled": True, "cert_pem": pair.certificate, "key_pem": pair.key}
    with pytest.raises(fanjet.ConfigError, match="ASGI server that listens"):
        fanjet.Server({"http_server": {"tls": tls}, "http_server.http3.enabled": True, key: True}).asgi()


async def test_pings_by_frames_are_the_hosts(host: Hosting) -> None:
    server = make_server({"client": {"insecure": True, "ping_interval": "1s", "pong_timeout": "500ms"}})
    async with (
        host(server.asgi()) as port,
        connect_socket(f"ws://127.0.0.1:{port}/connection/websocket?cf_ws_frame_ping_pong=true") as socket,
    ):
        await socket.send('{"id":1,"connect":{}}')
        await socket.recv()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 2.5)
