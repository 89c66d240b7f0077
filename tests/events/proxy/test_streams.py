"""Subscriptions that a stream of the backend feeds (06 §12)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from fanjet.events.proxy.proto import proxy_pb2 as pb
from tests.events.proxy.configs import TIMEOUT, proxy
from tests.support.tokens import token
from tests.support.wire_client import connected

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.grpc_backend import GrpcBackend
    from tests.support.server import Server
    from tests.support.wire_client import WireClient

INTERNAL = {"code": 100, "message": "internal server error", "temporary": True}
STREAMED = {"subscribe_stream_proxy_enabled": True, "presence": True, "join_leave": True}


@pytest.fixture
def server(shared_server: StartServer, grpc_application: GrpcBackend) -> Server:
    """A server with two namespaces that streams feed: `uni` and `bi`."""
    namespaces = [
        {"name": "uni", "publication_data_format": "json_object", **STREAMED},
        {"name": "bi", "subscribe_stream_proxy_bidirectional": True, "allow_user_limited_channels": True, **STREAMED},
    ]
    stream = proxy(f"127.0.0.1:{grpc_application.port}")
    return shared_server({"channel": {"proxy": {"subscribe_stream": stream}, "namespaces": namespaces}})


async def subscribed(client: WireClient, application: GrpcBackend, channel: str, **result: Any) -> Any:
    """Subscribe; returns the backend's side of the stream."""
    await client.send({"id": 50, "subscribe": {"channel": channel, "data": {"wish": 1}}})
    stream = await application.next_stream()
    stream.accept(**result)
    assert "subscribe" in await client.receive()
    return stream


@pytest.mark.parametrize("kind", ["uni", "bi"])
async def test_publications_come_after_the_reply_and_to_nobody_else(  # 06-24
    server: Server, grpc_application: GrpcBackend, name: str, kind: str
) -> None:
    channel = f"{kind}:{name}"
    async with connected(server, token("7")) as client, connected(server, token("8")) as other:
        await subscribed(other, grpc_application, channel)
        await client.send({"id": 5, "subscribe": {"channel": channel, "data": {"wish": 1}}})
        stream = await grpc_application.next_stream()
        stream.accept(data=b"[1]")
        stream.publish(b'{"n":1}', a="b")
        stream.publish(b'{"n":2}')
        assert await client.receive() == {"id": 5, "subscribe": {"data": [1]}}
        assert await client.publication() == {"data": {"n": 1}, "tags": {"a": "b"}}
        assert await client.publication() == {"data": {"n": 2}}
        assert other.nothing_waits()
    assert (stream.request.user, stream.request.channel) == ("7", channel)
    assert stream.request.data == b'{"wish": 1}'


async def test_publications_of_the_server_api_go_to_all(
    server: Server, grpc_application: GrpcBackend, name: str
) -> None:
    async with connected(server, token("7")) as client:
        await subscribed(client, grpc_application, f"uni:{name}")
        await server.api("publish", {"channel": f"uni:{name}", "data": {"from": "api"}})
        assert (await client.publication())["data"] == {"from": "api"}


async def test_presence_and_channel_info(server: Server, grpc_application: GrpcBackend, name: str) -> None:
    async with connected(server, token("7")) as client:
        await subscribed(client, grpc_application, f"uni:{name}", info=b'{"i":1}')
        presence = await server.api("presence", {"channel": f"uni:{name}"})
        assert [entry["chan_info"] for entry in presence["presence"].values()] == [{"i": 1}]


@pytest.mark.parametrize(
    ("code", "unsubscribe"),
    [
        (grpc.StatusCode.OK, {"code": 2000, "reason": "server unsubscribe"}),
        (grpc.StatusCode.INTERNAL, {"code": 2500, "reason": "insufficient state"}),
    ],
)
async def test_the_backend_ends_the_stream(  # 06-24
    server: Server, grpc_application: GrpcBackend, name: str, code: grpc.StatusCode, unsubscribe: dict[str, Any]
) -> None:
    async with connected(server, token("7")) as client:
        stream = await subscribed(client, grpc_application, f"uni:{name}")
        stream.publish(b"{}")
        stream.finish(code)
        await client.publication()
        assert (await client.push())["unsubscribe"] == unsubscribe
    assert (await server.api("presence", {"channel": f"uni:{name}"}))["presence"] == {}


@pytest.mark.parametrize("kind", ["uni", "bi"])
async def test_the_client_leaves(server: Server, grpc_application: GrpcBackend, name: str, kind: str) -> None:  # 06-24
    async with connected(server, token("7")) as client:
        stream = await subscribed(client, grpc_application, f"{kind}:{name}")
        assert await client.call(unsubscribe={"channel": f"{kind}:{name}"}) == {}
        assert await stream.cancelled()
        assert await client.pushes_so_far() == []


async def test_the_client_disconnects(server: Server, grpc_application: GrpcBackend, name: str) -> None:
    async with connected(server, token("7")) as client:
        stream = await subscribed(client, grpc_application, f"uni:{name}")
    assert await stream.cancelled()


async def test_the_server_unsubscribes(server: Server, grpc_application: GrpcBackend, name: str) -> None:  # P12
    async with connected(server, token(name)) as client:
        stream = await subscribed(client, grpc_application, f"uni:{name}")
        await server.api("unsubscribe", {"user": name, "channel": f"uni:{name}"})
        assert (await client.push())["unsubscribe"]["code"] == 2000
        assert await stream.cancelled()
        assert await client.pushes_so_far() == []


async def test_a_backend_that_says_nothing_is_late(  # 06-24
    server: Server, grpc_application: GrpcBackend, name: str
) -> None:
    async with connected(server, token("7")) as client:
        started = time.monotonic()
        assert (await client.call(subscribe={"channel": f"uni:{name}"}))["error"] == INTERNAL
        assert TIMEOUT * 0.9 < time.monotonic() - started < TIMEOUT + 3
        assert await (await grpc_application.next_stream()).cancelled()


async def test_a_stream_lives_longer_than_the_timeout(server: Server, grpc_application: GrpcBackend, name: str) -> None:
    async with connected(server, token("7")) as client:
        stream = await subscribed(client, grpc_application, f"uni:{name}")
        await asyncio.sleep(TIMEOUT * 2)
        stream.publish(b"{}")
        assert await client.publication() == {"data": {}}


@pytest.mark.parametrize("kind", ["uni", "bi"])
@pytest.mark.parametrize(
    ("first", "error"),
    [
        pytest.param(pb.StreamSubscribeResponse(), INTERNAL, id="nothing"),
        pytest.param(pb.StreamSubscribeResponse(publication=pb.Publication(data=b"1")), INTERNAL, id="publication"),
        pytest.param(grpc.StatusCode.OK, INTERNAL, id="end"),
        pytest.param(grpc.StatusCode.INTERNAL, INTERNAL, id="failure"),
        pytest.param(
            pb.StreamSubscribeResponse(
                subscribe_response=pb.SubscribeResponse(error=pb.Error(code=7, message="e", temporary=True))
            ),
            {"code": 7, "message": "e", "temporary": True},
            id="error",
        ),
        pytest.param(
            pb.StreamSubscribeResponse(subscribe_response=pb.SubscribeResponse(result=pb.SubscribeResult(b64data="*"))),
            INTERNAL,
            id="bad-base64",
        ),
        pytest.param(
            pb.StreamSubscribeResponse(subscribe_response=pb.SubscribeResponse(result=pb.SubscribeResult(expire_at=5))),
            {"code": 110, "message": "expired"},
            id="expired",
        ),
    ],
)
async def test_what_is_not_accepted_is_cancelled(  # 06-24
    server: Server, grpc_application: GrpcBackend, name: str, kind: str, first: Any, error: dict[str, Any]
) -> None:
    async with connected(server, token("7")) as client:
        await client.send({"id": 5, "subscribe": {"channel": f"{kind}:{name}"}})
        stream = await grpc_application.next_stream()
        stream.send(first)
        assert (await client.receive())["error"] == error
        assert await stream.cancelled()
        await subscribed(client, grpc_application, f"{kind}:{name}")


async def test_the_backend_may_end_the_connection(server: Server, grpc_application: GrpcBackend, name: str) -> None:
    disconnect = pb.SubscribeResponse(disconnect=pb.Disconnect(code=4501, reason="no"))
    async with connected(server, token("7")) as client:
        await client.send({"id": 5, "subscribe": {"channel": f"uni:{name}"}})
        (await grpc_application.next_stream()).send(pb.StreamSubscribeResponse(subscribe_response=disconnect))
        assert await client.closed() == (4501, "no")


async def test_a_filter_needs_a_stream_of_the_server(server: Server, grpc_application: GrpcBackend, name: str) -> None:
    async with connected(server, token("7")) as client:
        wish = {"channel": f"uni:{name}", "tf": {"cmp": "ex", "key": "a"}}
        await client.send({"id": 5, "subscribe": wish})
        stream = await grpc_application.next_stream()
        stream.accept()
        assert (await client.receive())["error"]["code"] == 107
        assert await stream.cancelled()


async def test_the_client_publishes_into_the_stream(  # 06-25
    server: Server, grpc_application: GrpcBackend, name: str
) -> None:
    channel = f"bi:{name}"
    async with connected(server, token("7")) as client:
        assert await client.error(publish={"channel": channel, "data": {"n": 0}}) == 108
        stream = await subscribed(client, grpc_application, channel)
        for number in range(3):
            assert await client.call(publish={"channel": channel, "data": {"n": number}}) == {}
        received = [await stream.received_next() for _ in range(3)]
        assert [one.publication.data for one in received] == [b'{"n": 0}', b'{"n": 1}', b'{"n": 2}']
        assert await client.pushes_so_far() == []


async def test_a_stream_of_one_direction_takes_nothing(  # 06-25
    server: Server, grpc_application: GrpcBackend, name: str
) -> None:
    async with connected(server, token("7")) as client:
        await subscribed(client, grpc_application, f"uni:{name}")
        assert await client.error(publish={"channel": f"uni:{name}", "data": {}}) == 108
        assert await client.error(publish={"channel": f"uni:{name}", "data": []}) == 107


async def test_tokens_and_names_in_the_channel_need_no_stream(
    server: Server, grpc_application: GrpcBackend, name: str
) -> None:
    async with connected(server, token("7")) as client:
        await client.subscribe(f"uni:{name}", token=token("7", channel=f"uni:{name}"))
        await client.subscribe(f"bi:{name}#7")
        assert await client.error(publish={"channel": f"bi:{name}#7", "data": {}}) == 108
    assert grpc_application.calls == []


async def test_data_that_a_connection_cannot_carry_ends_it(
    server: Server, grpc_application: GrpcBackend, name: str
) -> None:
    async with connected(server, token("7")) as client:
        stream = await subscribed(client, grpc_application, f"uni:{name}")
        stream.publish(b"\xff")
        assert await client.closed() == (3506, "inappropriate protocol")
    assert await stream.cancelled()


async def test_a_fast_backend_and_a_slow_client(server: Server, grpc_application: GrpcBackend, name: str) -> None:
    async with connected(server, token("7")) as client:
        stream = await subscribed(client, grpc_application, f"uni:{name}")
        for number in range(2000):
            stream.publish(b'{"n":%d}' % number)
        assert [(await client.publication())["data"]["n"] for _ in range(2000)] == list(range(2000))
