"""The unidirectional gRPC transport on a whole server (02 §9.6, checks 38 and 52)."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from fanjet.net.grpc.framing import frame
from fanjet.net.http1.stream import unframed
from fanjet.protocol.protobuf_encoding.codec import UNIDIRECTIONAL_PROTOBUF
from fanjet.transports.proto.unistream_pb2 import ConnectRequest, Push, SubscribeRequest
from fanjet.transports.response_stream import wire_format
from tests.support.backend import http_backend
from tests.support.certificates import issue
from tests.support.grpc_client import CONSUME, channel, consume
from tests.support.server import Server, free_port, merge
from tests.support.tokens import token
from tests.support.waiting import until

if TYPE_CHECKING:
    from tests.conftest import StartServer

PORT = free_port()
CONFIG: dict[str, Any] = {
    "uni_grpc": {"enabled": True, "address": "127.0.0.1", "port": PORT},
    "client": {
        "allow_anonymous_connect_without_token": True,
        "ping_interval": "10s",
        "connection_limit": 1,
        "queue_max_size": 3_000_000,
    },
    "channel": {
        "without_namespace": {
            "history_size": 10,
            "history_ttl": "60s",
            "presence": True,
            "force_recovery": True,
            "allow_subscribe_for_client": True,
            "allow_subscribe_for_anonymous": True,
        }
    },
}
PATIENCE = 10.0


@pytest.fixture
def server(shared_server: StartServer) -> Server:
    return shared_server(CONFIG)


@pytest.fixture
def name() -> str:
    """A channel or user that no other test uses."""
    return uuid.uuid4().hex


async def push(stream: Any) -> Push:
    answer = await asyncio.wait_for(stream.read(), PATIENCE)
    assert answer is not grpc.aio.EOF
    return answer


async def rest(stream: Any) -> list[Push]:
    pushes = []
    while (answer := await asyncio.wait_for(stream.read(), PATIENCE)) is not grpc.aio.EOF:
        pushes.append(answer)
    return pushes


async def present(server: Server, channel: str, number: int) -> None:
    """Wait until so many clients are in a channel."""

    async def as_many() -> bool:
        return bool((await server.api("presence_stats", {"channel": channel}))["num_clients"] == number)

    await until(as_many)


async def test_the_first_push_tells_of_the_connection(server: Server, name: str) -> None:
    async with channel(PORT) as to:
        stream = consume(to, ConnectRequest(token=token(name), name="test", version="1"))
        connect = (await push(stream)).connect
        assert connect.client
        assert connect.session
        assert connect.ping == 25
        assert not connect.pong
        assert not connect.node
        stream.cancel()


async def test_limits_of_connections_do_not_hold(server: Server) -> None:
    async with channel(PORT) as to:
        streams = [consume(to) for _ in range(5)]
        clients = {(await push(stream)).connect.client for stream in streams}
        for stream in streams:
            stream.cancel()
    assert len(clients) == 5


def test_a_ping_is_an_empty_push() -> None:
    assert wire_format("uni_grpc", UNIDIRECTIONAL_PROTOBUF, frame, unframed).ping == frame(b"")


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_pushes_come_in_order(server: Server, name: str, compression: grpc.Compression) -> None:
    async with channel(PORT) as to:
        request = ConnectRequest(subs={name: SubscribeRequest()})
        streams = [consume(to, request, compression=compression) for _ in range(3)]
        for stream in streams:
            assert name in (await push(stream)).connect.subs
        for number in range(50):
            await server.api("publish", {"channel": name, "data": number, "tags": {"a": "b"}})
        for stream in streams:
            pushes = [await push(stream) for _ in range(50)]
            assert {each.channel for each in pushes} == {name}
            assert [each.pub.data for each in pushes] == [b"%d" % number for number in range(50)]
            assert dict(pushes[0].pub.tags) == {"a": "b"}
            stream.cancel()


async def test_what_was_missed_is_recovered(server: Server, name: str) -> None:
    await server.api("publish", {"channel": name, "data": 1})
    missed = await server.api("publish", {"channel": name, "data": 2})
    async with channel(PORT) as to:
        wish = SubscribeRequest(recover=True, offset=1, epoch=missed["epoch"])
        stream = consume(to, ConnectRequest(subs={name: wish}))
        subscribed = (await push(stream)).connect.subs[name]
        assert subscribed.recovered
        assert [each.data for each in subscribed.publications] == [b"2"]
        stream.cancel()


async def test_the_server_api_reaches_the_connection(server: Server, name: str) -> None:
    async with channel(PORT) as to:
        stream = consume(to, ConnectRequest(token=token(name)))
        session = (await push(stream)).connect.session
        target = {"user": name, "session": session}
        await server.api("subscribe", {**target, "channel": name, "data": 1})
        subscribed = await push(stream)
        assert (subscribed.channel, subscribed.subscribe.data) == (name, b"1")
        await server.api("unsubscribe", {**target, "channel": name})
        assert (await push(stream)).unsubscribe.code == 2000
        await server.api("refresh", {**target, "expire_at": 4_000_000_000})
        assert (await push(stream)).refresh.expires
        await server.api("disconnect", {**target, "disconnect": {"code": 4500, "reason": "bye"}})
        (last,) = await rest(stream)
        assert (last.disconnect.code, last.disconnect.reason) == (4500, "bye")
        assert await stream.code() is grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        pytest.param(ConnectRequest(token="no"), 3500, id="invalid-token"),
        pytest.param(ConnectRequest(token=token("u", exp=1)), 3005, id="expired-token"),
        pytest.param(ConnectRequest(subs={"nowhere:a": SubscribeRequest()}), 3501, id="unknown-namespace"),
    ],
)
async def test_a_failed_connect_is_a_push_and_a_success(server: Server, request_: ConnectRequest, code: int) -> None:
    async with channel(PORT) as to:
        stream = consume(to, request_)
        (last,) = await rest(stream)
        assert last.disconnect.code == code
        assert await stream.code() is grpc.StatusCode.OK


async def test_who_cancels_is_gone(server: Server, name: str) -> None:
    async with channel(PORT) as to:
        stream = consume(to, ConnectRequest(subs={name: SubscribeRequest()}))
        await push(stream)
        assert (await server.api("presence_stats", {"channel": name}))["num_clients"] == 1
        stream.cancel()
        await present(server, name, 0)


async def test_a_slow_consumer_is_disconnected_and_delays_no_other(server: Server, name: str) -> None:
    options = (("grpc.http2.lookahead_bytes", 65536), ("grpc.http2.bdp_probe", 0))
    request = ConnectRequest(subs={name: SubscribeRequest()})
    async with channel(PORT) as to, grpc.aio.insecure_channel(f"127.0.0.1:{PORT}", options=options) as slow_channel:
        slow, quick = consume(slow_channel, request), consume(to, request)
        await push(slow)
        await push(quick)
        for _ in range(8):
            await server.api("publish", {"channel": name, "data": "x" * 900_000})
            assert len((await push(quick)).pub.data) == 900_002
        await present(server, name, 1)
        quick.cancel()


@pytest.mark.parametrize(("size", "accepted"), [(1 << 20, True), (5 << 20, False)])
async def test_requests_of_four_mebibytes_are_the_largest(server: Server, size: int, accepted: bool) -> None:
    async with channel(PORT) as to:
        stream = consume(to, ConnectRequest(data=b"x" * size))
        if accepted:
            assert (await push(stream)).connect.client
            stream.cancel()
        else:
            assert await stream.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_garbage_is_refused(server: Server) -> None:
    async with channel(PORT) as to:
        call = to.unary_stream(CONSUME)(b"\xff\xff")
        assert await call.code() is grpc.StatusCode.INTERNAL
        assert "cannot parse" in await call.details()


async def test_there_is_no_reflection(server: Server) -> None:
    async with channel(PORT) as to:
        call = to.unary_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")(b"")
        assert await call.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_shutdown_is_announced(private_server: StartServer) -> None:
    port = free_port()
    server = private_server(merge(CONFIG, {"uni_grpc": {"port": port}}))
    async with channel(port) as to:
        streams = [consume(to) for _ in range(3)]
        for stream in streams:
            await push(stream)
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        for stream in streams:
            (last,) = await rest(stream)
            assert (last.disconnect.code, last.disconnect.reason) == (3001, "shutdown")
            assert await stream.code() is grpc.StatusCode.OK
        assert await stopping == 0


async def test_tls(shared_server: StartServer) -> None:
    port, pair = free_port(), issue()
    tls = {"enabled": True, "cert_pem": pair.certificate, "key_pem": pair.key}
    server = shared_server(merge(CONFIG, {"uni_grpc": {"port": port, "tls": tls}}))
    credentials = grpc.ssl_channel_credentials(pair.certificate.encode())
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as to:
        stream = consume(to)
        assert (await push(stream)).connect.client
        stream.cancel()
    assert f"serving unidirectional GRPC on 127.0.0.1:{port}" in server.log


async def test_metadata_reach_the_application_where_it_is_told(private_server: StartServer, name: str) -> None:
    port = free_port()
    async with http_backend() as backend:
        backend.on("connect", {"result": {"user": name}})
        proxy = {"enabled": True, "endpoint": f"{backend.base}/connect", "grpc_metadata": ["X-Wanted"]}
        server = private_server(merge(CONFIG, {"uni_grpc": {"port": port}, "client": {"proxy": {"connect": proxy}}}))
        async with channel(port) as to:
            stream = consume(to, ConnectRequest(data=b'{"d":1}'), metadata=(("x-wanted", "yes"), ("x-other", "no")))
            assert (await push(stream)).connect.client
            stream.cancel()
        (asked,) = backend.requests
        assert asked.headers["x-wanted"] == "yes"
        assert "x-other" not in asked.headers
        assert (asked.body["transport"], asked.body["protocol"], asked.body["data"]) == (
            "uni_grpc",
            "protobuf",
            {"d": 1},
        )
        await asyncio.to_thread(server.stop)
