"""What is WebTransport's own, and HTTP/3 on a real server (02 §3.4, §8, §15). What all transports share is checked by
the conformance suite."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.acceptance.configs import OPEN
from tests.support import protobuf
from tests.support.certificates import Pair, issue
from tests.support.http3_client import connected
from tests.support.redis import Redis
from tests.support.relay import Relay
from tests.support.server import API_KEY, merge
from tests.support.tokens import token
from tests.support.webtransport_client import NAMELESS, session_opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.conftest import StartServer
    from tests.support.server import Server

pytest.importorskip("aioquic", reason="the extra fanjet[http3] is not installed")

CONNECT = {"id": 1, "connect": {}}
LIMIT = 65536


@pytest.fixture(scope="module")
def pair() -> Pair:
    return issue()


@pytest.fixture
def config(pair: Pair) -> dict[str, Any]:
    """A server that speaks HTTP/3."""
    tls = {"enabled": True, "cert_pem": pair.certificate, "key_pem": pair.key}
    own = {
        "http_server": {"tls": tls, "http3": {"enabled": True}},
        "webtransport": {"enabled": True},
        "http_stream": {"enabled": True},
        "sse": {"enabled": True},
        "health": {"enabled": True},
        "client": {"allowed_origins": ["https://page.example"]},
    }
    return merge(OPEN, own)


@pytest.fixture
def server(shared_server: StartServer, config: dict[str, Any]) -> Server:
    return shared_server(config)


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    """The way to a Redis."""
    redis = Redis(tmp_path)
    redis.start()
    async with Relay(redis.port) as relay:
        yield relay
    redis.stop()


@pytest.fixture
async def over_redis(private_server: StartServer, config: dict[str, Any], relay: Relay) -> Server:
    """A server with its engine there."""
    redis = {"address": f"127.0.0.1:{relay.port}"}
    return await asyncio.to_thread(private_server, merge(config, {"engine": {"type": "redis", "redis": redis}}))


def line(*commands: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(command).encode() + b"\n" for command in commands)


# Sessions.


async def test_the_answer_lets_the_page_in(server: Server) -> None:
    async with connected(server.port) as client:
        session = await client.session(headers=[(b"origin", b"https://page.example")])
        assert session.request.headers[b"access-control-allow-origin"] == b"https://page.example"
        assert session.request.headers[b"access-control-allow-credentials"] == b"true"


@pytest.mark.parametrize("path", ["/connection/webtransport", "/connection/webtransport?cf_protocol=protobuf"])
async def test_other_pages_are_refused(server: Server, path: str) -> None:
    async with connected(server.port) as client:
        headers = [(b":protocol", b"webtransport"), (b"origin", b"https://other.example")]
        response = await client.response(client.begin("CONNECT", path, headers, end=False))
        assert response.status == 400
        assert b"access-control-allow-origin" not in response.headers


async def test_over_tcp_there_are_no_sessions(server: Server) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{server.url}/connection/webtransport", ssl=False) as response,
    ):
        assert response.status == 400


async def test_a_request_for_no_session_is_refused(server: Server) -> None:
    async with connected(server.port) as client:
        assert (await client.request("GET", "/connection/webtransport")).status == 400
        assert (await client.request("POST", "/connection/webtransport", body=line(CONNECT))).status == 400


async def test_format_is_not_known_here(server: Server) -> None:
    async with session_opened(server.url, query="?format=protobuf") as client:
        await client.connect()


async def test_commands_may_be_cut_anywhere(server: Server) -> None:
    async with connected(server.port) as client:
        session = await client.session()
        for byte in line(CONNECT):
            session.send(bytes([byte]))
        assert json.loads(await session.line())["id"] == 1


MALFORMED = [b"\n", b"\n\n", b"not json\n", b"[]\n", b'{"id":"x"}\n', b"\xff\n"]
MALFORMED_PROTOBUF = [b"\x02\x08", b"\xff" * 10, b"\x02\x0a\x05"]


@pytest.mark.parametrize("malformed", MALFORMED)
async def test_what_cannot_be_decoded_ends_the_session_without_a_word(server: Server, malformed: bytes) -> None:
    async with connected(server.port) as client:
        session = await client.session()
        session.send(line(CONNECT, {"id": 2, "subscribe": {"channel": "x"}}))
        for number in (1, 2):
            assert json.loads(await session.line())["id"] == number
        session.send(line({"id": 3, "presence_stats": {"channel": "x"}}) + malformed)
        assert json.loads(await session.line())["id"] == 3
        assert await session.rest() == b""
        assert await session.end() == NAMELESS


@pytest.mark.parametrize("malformed", MALFORMED_PROTOBUF)
async def test_protobuf_that_cannot_be_decoded_ends_it_just_so(server: Server, malformed: bytes) -> None:
    async with session_opened(server.url, is_protobuf=True) as client:
        await client.connect()
        before = protobuf.encoded({"id": 2, "rpc": {"method": "before"}})
        client.session.send(before + malformed, end=malformed == b"\x02\x08")
        assert (await client.receive())["id"] == 2
        assert await client.closed() == NAMELESS
        assert client.disconnect == (None, None)


@pytest.mark.parametrize("is_protobuf", [False, True], ids=["json", "protobuf"])
async def test_a_command_may_be_as_long_as_the_limit(server: Server, is_protobuf: bool) -> None:
    async with session_opened(server.url, is_protobuf=is_protobuf) as client:
        await client.connect()
        for over in (0, 1):
            if is_protobuf:
                command = {"id": 9, "rpc": {"method": "m", "data": bytes(LIMIT)}}
                excess = len(protobuf.encoded(command)) - 3 - LIMIT
                command = {"id": 9, "rpc": {"method": "m", "data": bytes(LIMIT - excess + over)}}
                await client.send_frame(protobuf.encoded(command))
            else:
                text = '{"id":9,"rpc":{"method":"m","data":""}}'
                await client.send_frame(text[:-3] + "x" * (LIMIT - len(text) + over) + text[-3:])
            if not over:
                assert (await client.receive())["id"] == 9
        assert await client.closed() == NAMELESS


async def test_a_negative_limit_is_the_default(shared_server: StartServer, config: dict[str, Any]) -> None:
    server = shared_server(merge(config, {"webtransport": {"message_size_limit": -1}}))
    async with session_opened(server.url, is_protobuf=True) as client:
        await client.connect()
        client.session.send(b"\xff\xff\xff\xff\x7f")
        assert await client.closed() == NAMELESS


async def test_the_client_s_end_ends_the_connection(server: Server) -> None:
    async with session_opened(server.url) as client:
        await client.connect(token=token("leaves"))
        client.session.send(b"", end=True)
        assert await client.closed() == NAMELESS
        assert client.disconnect == (None, None)


@pytest.mark.parametrize("behind", [b"", b"not json\n", b"x" * (LIMIT + 1)], ids=["end", "malformed", "too-long"])
async def test_what_waits_for_the_engine_is_answered_before_the_end(
    over_redis: Server, relay: Relay, behind: bytes
) -> None:
    async with connected(over_redis.port) as client:
        session = await client.session()
        session.send(line(CONNECT))
        assert json.loads(await session.line())["id"] == 1
        relay.stall()
        session.send(line({"id": 2, "publish": {"channel": "behind", "data": 1}}))
        session.send(behind, end=not behind)
        await session.received()
        relay.flow()
        assert json.loads(await session.line()) == {"id": 2, "publish": {}}
        assert await session.rest() == b""


async def test_the_error_of_a_connect_is_delivered(server: Server) -> None:
    async with connected(server.port) as client:
        session = await client.session()
        session.send(line({"id": 1, "connect": {"token": token("u", exp=1)}}, {"id": 2, "rpc": {}}))
        reply = json.loads(await session.line())
        assert (reply["id"], reply["error"]["code"]) == (1, 109)
        before = time.monotonic()
        assert await session.rest() == b""
        assert not session.request.ended
        assert await session.end() == NAMELESS
        assert time.monotonic() - before > 0.5


async def test_the_push_comes_a_second_before_the_end(server: Server) -> None:
    async with connected(server.port) as client:
        session = await client.session()
        session.send(line({"id": 1, "connect": {"token": token("sent away")}}))
        await session.line()
        await server.api("disconnect", {"user": "sent away", "disconnect": {"code": 4001, "reason": "bye"}})
        assert await session.line() == b'{"push":{"disconnect":{"code":4001,"reason":"bye"}}}'
        before = time.monotonic()
        assert await session.rest() == b""
        assert await session.end() == (4001, "bye")
        assert 0.8 < time.monotonic() - before < 2


async def test_who_does_not_connect_is_stale(shared_server: StartServer, config: dict[str, Any]) -> None:
    server = shared_server(merge(config, {"client": {"stale_close_delay": "0.3s"}}))
    async with session_opened(server.url) as client:
        client.session.send(b" ")
        assert await client.closed() == (3502, "stale")


async def test_who_does_not_read_is_sent_away(shared_server: StartServer, config: dict[str, Any]) -> None:
    server = shared_server(merge(config, {"client": {"queue_max_size": 200_000}}))
    channel = "asks:slow"
    async with connected(server.port, max_stream_data=20_000) as client:
        client._quic._write_stream_limits = lambda **_: None  # type: ignore[method-assign]
        session = await client.session()
        session.send(line(CONNECT, {"id": 2, "subscribe": {"channel": channel}}))
        for _ in range(2):
            await session.line()
        for _ in range(10):
            await server.api("publish", {"channel": channel, "data": "x" * 50_000})
        await client.until(lambda: session.stream.reset is not None or session.request.over)
        assert channel not in (await server.api("channels"))["channels"]


async def test_sessions_that_wait_for_their_stream_end_with_the_server(
    private_server: StartServer, config: dict[str, Any]
) -> None:
    server = private_server(config)
    async with connected(server.port) as client:
        session = await client.session()
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        assert await session.end() is None
        assert await stopping == 0
        await client.until(lambda: client.closed)


async def test_connections_are_limited_here_too(shared_server: StartServer, config: dict[str, Any]) -> None:
    server = shared_server(merge(config, {"client": {"connection_limit": 1}}))
    async with session_opened(server.url) as first, connected(server.port) as client:
        await first.connect()
        refused = client.begin("CONNECT", "/connection/webtransport", [(b":protocol", b"webtransport")], end=False)
        assert (await client.response(refused)).status == 503


# Other endpoints over HTTP/3.


async def test_the_endpoints_are_those_of_tcp(server: Server) -> None:
    async with connected(server.port) as client:
        health = await client.request("GET", "/health")
        assert (health.status, health.body) == (200, b"{}")
        api = await client.request("POST", "/api/info", [(b"x-api-key", API_KEY.encode())], b"{}")
        assert api.status == 200
        assert (await client.request("GET", "/connection/websocket")).status == 400
        assert (await client.request("GET", "/nowhere")).status == 404


@pytest.mark.parametrize("transport", ["http_stream", "sse"])
async def test_streams_with_emulation(server: Server, transport: str) -> None:
    async with connected(server.port) as client:
        if transport == "sse":
            stream = client.begin("GET", "/connection/sse?cf_connect=%7B%22id%22%3A1%2C%22connect%22%3A%7B%7D%7D")
        else:
            stream = client.begin("POST", "/connection/http_stream", end=False)
            client.send(stream, line(CONNECT), end=True)
        received = client.streams[stream]
        await client.until(lambda: b'"connect"' in received.data and received.data.endswith(b"\n"))
        text = received.data.decode().strip().removeprefix("data: ")
        connect = json.loads(text)["connect"]
        body = {
            "session": connect["session"],
            "node": connect["node"],
            "data": json.dumps({"id": 2, "subscribe": {"channel": f"h3-{transport}"}}),
        }
        answer = await client.request("POST", "/emulation", body=json.dumps(body).encode())
        assert answer.status == 204
        await client.until(lambda: b'"id":2' in received.data)
        await server.api("publish", {"channel": f"h3-{transport}", "data": "x"})
        await client.until(lambda: b'"pub":{"data":"x"}' in received.data)
        client.cancel(stream)

        async def left() -> bool:
            return f"h3-{transport}" not in (await server.api("channels"))["channels"]

        async with asyncio.timeout(5):
            while not await left():  # noqa: ASYNC110 - another process cannot set an event here
                await asyncio.sleep(0.01)


async def test_streams_end_with_the_server(private_server: StartServer, config: dict[str, Any]) -> None:
    server = private_server(config)
    async with connected(server.port) as client:
        stream = client.begin("POST", "/connection/http_stream", end=False)
        client.send(stream, line(CONNECT), end=True)
        await client.until(lambda: b'"connect"' in client.streams[stream].data)
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        response = await client.response(stream)
        assert response.body.endswith(b'{"push":{"disconnect":{"code":3001,"reason":"shutdown"}}}\n')
        assert await stopping == 0


async def test_responses_over_tcp_point_to_http3(server: Server) -> None:
    expected = f'h3=":{server.port}"; ma=2592000'
    async with aiohttp.ClientSession() as http:
        for path in ("/health", "/nowhere", "/connection/websocket"):
            async with http.get(server.url + path, ssl=False) as response:
                assert response.headers["Alt-Svc"] == expected
        async with http.post(f"{server.url}/connection/http_stream", data=line(CONNECT), ssl=False) as response:
            assert response.headers["Alt-Svc"] == expected
    async with connected(server.port) as client:
        assert b"alt-svc" not in (await client.request("GET", "/health")).headers


async def test_nothing_points_there_without_it(shared_server: StartServer, config: dict[str, Any]) -> None:
    off = {"http_server": {"http3": {"enabled": False}}, "webtransport": {"enabled": False}}
    server = shared_server(merge(config, off))
    async with aiohttp.ClientSession() as http, http.get(f"{server.url}/health", ssl=False) as response:
        assert "Alt-Svc" not in response.headers
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3), connected(server.port):
            pass


@pytest.mark.parametrize("form", ["base64", "file"])
async def test_certificates_come_in_every_form(
    private_server: StartServer, config: dict[str, Any], pair: Pair, tmp_path: Path, form: str
) -> None:
    def formed(pem: str, name: str) -> str:
        if form == "base64":
            return base64.b64encode(pem.encode()).decode()
        (tmp_path / name).write_text(pem)
        return str(tmp_path / name)

    tls = {"cert_pem": formed(pair.certificate, "cert.pem"), "key_pem": formed(pair.key, "key.pem")}
    server = private_server(merge(config, {"http_server": {"tls": tls}}))
    async with connected(server.port) as client:
        assert (await client.request("GET", "/health")).status == 200
