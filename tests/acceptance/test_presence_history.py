"""Presence, its numbers, and history, as clients read them (01 §6.5-6.7, 03 §8, §9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.tokens import token
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from tests.support.server import Server

ENCODINGS = [pytest.param(False, id="json"), pytest.param(True, id="protobuf")]


async def test_presence_names_everyone_with_what_is_known_of_them(server: Server, name: str) -> None:  # 01-51
    channel = f"all:{name}"
    signed = token("u1", channel=channel, info={"s": 1})
    async with connected(server) as anonymous, connected(server, token("u1", info=[1], meta={"r": 1})) as user:
        await anonymous.subscribe(channel)
        await user.subscribe(channel, token=signed)
        assert await anonymous.call(presence={"channel": channel}) == {
            "presence": {
                anonymous.client_id: {"user": "", "client": anonymous.client_id},
                user.client_id: {"user": "u1", "client": user.client_id, "conn_info": [1], "chan_info": {"s": 1}},
            }
        }  # without meta: 03-46
        stats = await anonymous.call(presence_stats={"channel": channel})
        assert stats == {"num_clients": 2, "num_users": 2}
        await user.call(unsubscribe={"channel": channel})
        assert (await user.call(presence={"channel": channel}))["presence"].keys() == {anonymous.client_id}
    async with connected(server) as client:
        assert await client.call(presence={"channel": channel}) == {"presence": {}}
        assert await client.call(presence_stats={"channel": channel}) == {"num_clients": 0, "num_users": 0}


async def test_protobuf_presence(server: Server, name: str) -> None:  # 01-51
    channel = f"all:{name}"
    async with connected(server, token("u1", info={"n": 1}), is_protobuf=True) as client:
        await client.subscribe(channel)
        info = {"user": "u1", "client": client.client_id, "conn_info": b'{"n": 1}'}
        assert await client.call(presence={"channel": channel}) == {"presence": {client.client_id: info}}
        assert await client.call(presence_stats={"channel": channel}) == {"num_clients": 1, "num_users": 1}


@pytest.mark.parametrize("method", ["presence", "presence_stats"])
@pytest.mark.parametrize(
    ("channel", "code"),
    [
        pytest.param("rec:x", 108, id="01-51-03-24-off"),
        pytest.param("denied:x", 103, id="03-24-not-permitted"),
        pytest.param("asks:x", 103, id="03-24-not-subscribed"),
        pytest.param("nope:x", 102, id="03-15-unknown"),
        pytest.param("num:a", 107, id="03-17-regex"),
    ],
)
async def test_presence_is_refused(server: Server, method: str, channel: str, code: int) -> None:
    async with connected(server, token("u1")) as client:
        assert await client.error(**{method: {"channel": channel}}) == code


@pytest.mark.parametrize("server_side", [pytest.param(False, id="client-side"), pytest.param(True, id="server-side")])
async def test_subscribers_may_see_who_is_there(server: Server, name: str, server_side: bool) -> None:  # 03-24
    channel = f"asks:{name}"
    async with opened(server) as client:
        await client.connect(token=token("u1", channels=[channel] if server_side else []))
        if not server_side:
            await client.subscribe(channel)
        assert (await client.call(presence={"channel": channel}))["presence"].keys() == {client.client_id}


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_history_in_both_directions(server: Server, name: str, is_protobuf: bool) -> None:  # 01-50
    channel = f"long:{name}"
    for number in range(1, 6):
        position = await server.api("publish", {"channel": channel, "data": number})
    epoch = position["epoch"]
    async with connected(server, token("u1"), is_protobuf=is_protobuf) as client:

        async def read(**request: Any) -> list[int]:
            result = await client.call(history={"channel": channel, **request})
            assert (result["epoch"], result["offset"]) == (epoch, 5)
            return [publication["offset"] for publication in result.get("publications", [])]

        assert await read() == []
        assert await read(limit=-1) == [1, 2, 3, 4, 5]
        assert await read(limit=2, reverse=True) == [5, 4]
        assert await read(limit=2, since={"offset": 2, "epoch": epoch}) == [3, 4]
        assert await read(limit=9, since={"offset": 3, "epoch": epoch}, reverse=True) == [2, 1]
        assert await read(limit=9, since={"offset": 9, "epoch": ""}) == []


async def test_the_position_alone_and_the_three_fields_are_always_there(server: Server, name: str) -> None:
    channel = f"all:{name}"  # 01-50, 03-25
    async with connected(server) as client:
        empty = await client.call(history={"channel": channel, "limit": 0})
        assert empty == {"publications": [], "epoch": empty["epoch"], "offset": 0}
        await server.api("publish", {"channel": channel, "data": 1})
        assert await client.call(history={"channel": channel}) == {**empty, "offset": 1}


async def test_at_most_300_publications_are_returned(server: Server, name: str) -> None:  # 01-50, 03-25
    channel = f"long:{name}"
    await server.api("broadcast", {"channels": [channel] * 301, "data": 1})
    async with connected(server, token("u1")) as client:
        for limit in (-1, 1000):
            result = await client.call(history={"channel": channel, "limit": limit})
            assert [publication["offset"] for publication in result["publications"]] == list(range(1, 301))


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        pytest.param({"channel": "all:x", "since": {"offset": 1, "epoch": "other"}}, 112, id="01-50-03-25-epoch"),
        pytest.param({"channel": "all:x", "since": {}, "reverse": True}, 107, id="01-50-03-25-reverse-from-zero"),
        pytest.param({"channel": "closed:x"}, 108, id="01-50-03-25-no-history"),
        pytest.param({"channel": "rec:x"}, 103, id="03-25-not-permitted"),
        pytest.param({"channel": "nope:x"}, 102, id="03-15-unknown"),
        pytest.param({"channel": "num:a"}, 107, id="03-17-regex"),
    ],
)
async def test_history_is_refused(server: Server, request_: dict[str, Any], code: int) -> None:
    async with connected(server) as client:
        assert await client.error(history={"limit": 1, **request_}) == code
