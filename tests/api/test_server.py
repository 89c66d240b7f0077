"""The API on a whole server, with connections to see what it does to them (05 §15: checks 1, 6, 10, 12, 13, 15, 18-23,
31, 34; check 35, the `cent` client, is in `tests/sdk/test_cent.py`)."""

from __future__ import annotations

import io
import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from centrifuge.protocol.client_pb2 import Command, ConnectRequest, Reply, SubscribeRequest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.api.raw_client import connected
from tests.support.server import API_KEY, ApiError, Server
from tests.support.tokens import token

if TYPE_CHECKING:
    from tests.conftest import StartServer

CONFIG: dict[str, Any] = {
    "channel": {
        "without_namespace": {"allow_subscribe_for_client": True},
        "namespaces": [
            {
                "name": "ns",
                "history_size": 10,
                "history_ttl": "60s",
                "presence": True,
                "allow_subscribe_for_client": True,
            },
            {"name": "map", "subscription_type": "map", "map": {"mode": "recoverable", "key_ttl": "60s"}},
        ],
    },
}


@pytest.fixture
def server(shared_server: StartServer) -> Server:
    return shared_server(CONFIG)


@pytest.fixture
def name() -> str:
    """A channel or user that no other test uses."""
    return uuid.uuid4().hex


async def post(server: Server, method: str, body: bytes) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/api/{method}", data=io.BytesIO(body), headers={"X-API-Key": API_KEY}) as answer,
    ):
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param('{"x":1}', id="object"),
        pytest.param("null", id="null"),
        pytest.param('{"n":1.0,"big":12345678901234567890123}', id="number-spelling"),
        pytest.param('{"b" :\t1, "a":2,"a":3}', id="space-order-repetition"),
    ],
)
async def test_subscribers_get_payloads_as_they_were_written(server: Server, name: str, payload: str) -> None:
    async with connected(server) as client:
        await client.subscribe(name)
        answer = await post(server, "publish", f'{{"channel":"{name}","data":{payload}}}'.encode())
        assert answer == (200, {"result": {}})
        push = await client.push()
        assert push["channel"] == name
        assert f'"data":{payload}' in push["text"]


async def test_a_repeated_idempotency_key_delivers_once(server: Server, name: str) -> None:
    channel = f"ns:{name}"
    async with connected(server) as client:
        await client.subscribe(channel)
        for number in (1, 2):
            result = await server.api("publish", {"channel": channel, "data": number, "idempotency_key": "k1"})
            assert result["offset"] == 1
        await server.api("publish", {"channel": channel, "data": 3})
        assert [(await client.push())["pub"]["data"] for _ in range(2)] == [1, 3]
    history = await server.api("history", {"channel": channel, "limit": -1})
    assert [publication["data"] for publication in history["publications"]] == [1, 3]


async def test_skip_history_still_reaches_subscribers(server: Server, name: str) -> None:
    channel = f"ns:{name}"
    async with connected(server) as client:
        await client.subscribe(channel)
        assert await server.api("publish", {"channel": channel, "data": 1, "skip_history": True}) == {}
        assert (await client.push())["pub"] == {"data": 1}
    assert (await server.api("history", {"channel": channel, "limit": -1}))["publications"] == []


async def test_base64_data_reaches_protobuf_subscribers_as_bytes(server: Server, name: str) -> None:
    subprotocol = Subprotocol("centrifuge-protobuf")
    async with connect(server.ws_url, subprotocols=[subprotocol], ping_interval=None) as socket:
        for command in (
            Command(id=1, connect=ConnectRequest(token=token("ann"))),
            Command(id=2, subscribe=SubscribeRequest(channel=name)),
        ):
            text = command.SerializeToString()
            await socket.send(bytes([len(text)]) + text)
            assert not _reply(await socket.recv()).HasField("error")
        await server.api("publish", {"channel": name, "b64data": "aGk=", "data": 1})
        assert _reply(await socket.recv()).push.pub.data == b"hi"
        with pytest.raises(ApiError, match="107"):
            await server.api("publish", {"channel": name, "b64data": "***"})


def _reply(frame: str | bytes) -> Any:
    """The only message of a short frame."""
    assert isinstance(frame, bytes)
    length = frame[0] if frame[0] < 0x80 else (frame[0] & 0x7F) + (frame[1] << 7)
    prefix = 1 if frame[0] < 0x80 else 2
    assert len(frame) == prefix + length
    return Reply.FromString(frame[prefix:])


async def test_map_channels_take_no_publications(server: Server) -> None:
    answer = await server.api("broadcast", {"channels": ["a", "zz:b", "", "map:1"], "data": 1})
    codes = [response.get("error", {}).get("code") for response in answer["responses"]]
    assert codes == [None, 102, 107, 107]
    for method in ("publish", "subscribe"):
        with pytest.raises(ApiError, match="107"):
            await server.api(method, {"channel": "map:1", "data": 1})
    with pytest.raises(ApiError, match="108"):
        await server.api("map_stats", {"channel": "map:1"})


async def test_presence_shows_a_subscriber(server: Server, name: str) -> None:
    channel = f"ns:{name}"
    async with connected(server, "ann", info={"n": 1}) as client:
        await client.subscribe(channel)
        presence = await server.api("presence", {"channel": channel})
        assert presence == {
            "presence": {client.client_id: {"user": "ann", "client": client.client_id, "conn_info": {"n": 1}}}
        }
        assert await server.api("presence_stats", {"channel": channel}) == {"num_clients": 1, "num_users": 1}
    with pytest.raises(ApiError, match="108"):
        await server.api("presence", {"channel": name})


async def test_subscribe_and_unsubscribe(server: Server, name: str) -> None:
    channel = f"ns:{name}"
    async with connected(server, name) as client:
        request = {"user": name, "channel": channel, "data": {"d": 1}, "info": {"i": 1}}
        assert await server.api("subscribe", request) == {}
        push = await client.push()
        assert (push["channel"], push["subscribe"]["data"]) == (channel, {"d": 1})
        presence = await server.api("presence", {"channel": channel})
        assert presence["presence"][client.client_id]["chan_info"] == {"i": 1}

        assert await server.api("unsubscribe", {"user": name, "channel": channel}) == {}
        push = await client.push()
        assert (push["channel"], push["unsubscribe"]) == (channel, {"code": 2000, "reason": "server unsubscribe"})
        assert (await server.api("presence", {"channel": channel}))["presence"] == {}


async def test_unsubscribe_pushes_to_those_not_subscribed_but_not_without_a_channel(server: Server, name: str) -> None:
    async with connected(server, name) as client:
        await server.api("unsubscribe", {"user": name})
        await server.api("unsubscribe", {"user": name, "channel": name})
        assert (await client.push())["channel"] == name
        assert client.no_push_waits()


async def test_what_was_missed_comes_after_the_subscribe_push(server: Server, name: str) -> None:
    channel = f"ns:{name}"
    for number in (1, 2, 3):
        position = await server.api("publish", {"channel": channel, "data": number})
    async with connected(server, name) as client:
        since = {"offset": 1, "epoch": position["epoch"]}
        override = {"force_recovery": {"value": True}}
        await server.api("subscribe", {"user": name, "channel": channel, "recover_since": since, "override": override})
        push = await client.push()
        assert push["subscribe"]["recoverable"]
        assert [(await client.push())["pub"]["data"] for _ in range(2)] == [2, 3]


async def test_a_subscription_that_has_expired_already_is_an_internal_error(server: Server, name: str) -> None:
    async with connected(server, name) as client:
        with pytest.raises(ApiError, match="100"):
            await server.api("subscribe", {"user": name, "channel": name, "expire_at": 1})
        await client.subscribe(name)
        with pytest.raises(ApiError, match="100"):
            await server.api("subscribe", {"user": name, "channel": name, "expire_at": 1})
        await server.api("publish", {"channel": name, "data": "still there"})
        assert (await client.push())["pub"]["data"] == "still there"


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        pytest.param({"disconnect": {}}, (3503, "force disconnect"), id="disconnect"),
        pytest.param({"refresh": {"expired": True}}, (3005, "connection expired"), id="expired"),
    ],
)
async def test_in_a_batch_a_connection_has_ended_for_what_follows(
    server: Server, name: str, ending: dict[str, Any], outcome: tuple[int, str]
) -> None:
    channel = f"ns:{name}"
    ((method, request),) = ending.items()
    async with connected(server, name) as client:
        await client.subscribe(name)
        commands = [
            {"publish": {"channel": name, "data": 1}},
            {method: {**request, "user": name}},
            {"publish": {"channel": name, "data": 2}},
            {"subscribe": {"channel": channel, "user": name}},
            {"presence_stats": {"channel": channel}},
        ]
        _, answer = await post(server, "batch", json.dumps({"commands": commands}).encode())
        assert answer["replies"][-1] == {"presence_stats": {"num_clients": 0, "num_users": 0}}
        assert (await client.push())["pub"]["data"] == 1
        assert await client.closed() == outcome


async def test_disconnect_spares_the_whitelist(server: Server, name: str) -> None:
    async with connected(server, name) as first, connected(server, name) as second:
        assert await server.api("disconnect", {"user": name, "whitelist": [first.client_id]}) == {}
        assert await second.closed() == (3503, "force disconnect")
        custom = {"code": 4500, "reason": "bye"}
        await server.api("disconnect", {"user": name, "client": first.client_id, "disconnect": custom})
        assert await first.closed() == (4500, "bye")


async def test_refresh_expires_or_prolongs(server: Server, name: str) -> None:
    async with connected(server, name) as client:
        await server.api("refresh", {"user": name, "expire_at": int(time.time()) + 60})
        refresh = (await client.push())["refresh"]
        assert refresh["expires"]
        assert 58 <= refresh["ttl"] <= 60
        await server.api("refresh", {"user": name, "expired": True})
        assert await client.closed() == (3005, "connection expired")


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        pytest.param("ns:{}*", ["ns:{}"], id="star"),
        pytest.param("{{{},ns:{}}}", ["{}", "ns:{}"], id="alternatives"),
        pytest.param("?s:{}", ["ns:{}"], id="question-mark"),
        pytest.param("[!n]{}", [], id="class"),
    ],
)
async def test_channels_by_pattern(server: Server, name: str, pattern: str, matching: list[str]) -> None:
    async with connected(server) as client:
        await client.subscribe(name)
        await client.subscribe(f"ns:{name}")
        channels = (await server.api("channels", {"pattern": pattern.format(name, name)}))["channels"]
        assert channels == {channel.format(name): {"num_clients": 1} for channel in matching}


async def test_ten_megabytes_are_accepted(server: Server, name: str) -> None:
    body = b'{"channel":"%s","data":"%s"}' % (name.encode(), b"x" * 10_000_000)
    assert await post(server, "publish", body) == (200, {"result": {}})
