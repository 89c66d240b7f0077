"""Subscriptions that the server makes: by token, by personal channel, at connect, by API (01 §8.8, 03 §5.5, §5.6)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.configs import OPEN
from tests.support.tokens import token
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.server import Server

ENCODINGS = [pytest.param(False, id="json"), pytest.param(True, id="protobuf")]
PERSONAL: dict[str, Any] = {
    "client": {
        "allow_anonymous_connect_without_token": True,
        "subscribe_to_user_personal_channel": {
            "enabled": True,
            "personal_channel_namespace": "inbox",
            "single_connection": True,
        },
    },
    "channel": {"namespaces": [{"name": "inbox", "presence": True}]},
}


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_channels_of_the_token_are_subscribed_and_recovered(  # 01-39, 03-31
    server: Server, name: str, is_protobuf: bool
) -> None:
    channel = f"rec:{name}"
    mine = token(name, channels=[channel])
    async with opened(server, is_protobuf=is_protobuf) as client:
        subscribed = (await client.connect(token=mine))["subs"][channel]
        assert subscribed == {"recoverable": True, "positioned": True, "epoch": subscribed["epoch"]}
        await server.api("publish", {"channel": channel, "data": 1})
        assert (await client.publication())["offset"] == 1
    for number in (2, 3):
        await server.api("publish", {"channel": channel, "data": number})
    async with opened(server, is_protobuf=is_protobuf) as client:
        wish = {"recover": True, "offset": 1, "epoch": subscribed["epoch"]}
        result = (await client.connect(token=mine, subs={channel: wish}))["subs"][channel]
        publications = result.pop("publications")
        assert [(each["offset"], int(each["data"])) for each in publications] == [(2, 2), (3, 3)]
        assert result == {**subscribed, "recovered": True, "was_recovering": True, "offset": 1}
        await server.api("publish", {"channel": channel, "data": 4})
        assert (await client.publication())["offset"] == 4


async def test_entries_of_a_token_bring_data_and_options(server: Server, name: str) -> None:  # 03-31
    channel = f"closed:{name}"
    options = {"data": {"x": 1}, "info": {"i": 1}, "override": {"presence": {"value": True}}}
    claims = {"subs": {channel: options}, "channels": ["nope:ignored-then"]}
    async with opened(server) as client:
        result = await client.connect(token=token(name, **claims))
        assert result["subs"] == {channel: {"data": {"x": 1}}}


async def test_presence_may_be_switched_on_by_the_token(server: Server, name: str) -> None:  # 03-31
    channel = f"all:{name}"
    for value, present in ((True, 1), (False, 0)):
        options = {channel: {"override": {"presence": {"value": value}}}}
        async with connected(server, token(name, subs=options)) as client:
            stats = await client.call(presence_stats={"channel": channel})
            assert stats["num_clients"] == present


async def test_an_unknown_namespace_in_the_token_is_an_error(server: Server, name: str) -> None:  # 03-31
    async with opened(server) as client:
        assert await client.error(connect={"token": token(name, channels=["nope:a"])}) == 102


async def test_channels_of_another_type_are_left_out(server: Server, name: str) -> None:  # d19
    async with opened(server) as client:
        result = await client.connect(token=token(name, channels=["map:a", "", f"rec:{name}"]))
        assert result["subs"].keys() == {f"rec:{name}"}


async def test_clients_get_the_channels_they_ask_for_and_may_have(server: Server, name: str) -> None:  # 03-33
    wishes = [f"clients:{name}", f"closed:{name}", f"$clients:{name}", "dm:a#u2", f"dm:a#{name}", "café"]
    async with opened(server) as client:
        result = await client.connect(token=token(name), subs={channel: {} for channel in wishes})
        assert result["subs"] == {f"clients:{name}": {}, f"dm:a#{name}": {}}
    async with opened(server) as client:
        result = await client.connect(subs={f"clients:{name}": {}, name: {}})
        assert result["subs"] == {name: {}}  # anonymous


async def test_asking_for_an_unknown_namespace_is_a_bad_request(server: Server) -> None:  # 03-33
    async with opened(server) as client:
        await client.send({"id": 1, "connect": {"subs": {"nope:x": {}}}})
        assert await client.closed() == (3501, "bad request")


async def test_delta_is_negotiated_at_connect_too(server: Server, name: str) -> None:  # 01 10.1
    channel = f"delta:{name}"
    async with opened(server) as client:
        other = f"rec:{name}"
        wishes = {channel: {"delta": "fossil"}, other: {"delta": "x"}}
        subs = (await client.connect(token=token(name), subs=wishes))["subs"]
        assert (subs[channel].get("delta"), subs[other].get("delta")) == (True, None)
        payload = {"text": "long enough to be worth a patch, as it stays nearly the same"}
        for number in (1, 2):
            await server.api("publish", {"channel": channel, "data": {**payload, "n": number}})
        assert [(await client.publication()).get("delta", False) for _ in range(2)] == [False, True]


async def test_users_have_a_personal_channel(shared_server: StartServer, name: str) -> None:  # 03-32
    server = shared_server(PERSONAL)
    async with opened(server) as client:
        assert (await client.connect(token=token(name)))["subs"].keys() == {f"inbox:#{name}"}
        await server.api("publish", {"channel": f"inbox:#{name}", "data": 1})
        assert (await client.publication())["data"] == 1
    async with opened(server) as anonymous:
        assert "subs" not in await anonymous.connect()


async def test_the_newest_connection_may_be_the_only_one(shared_server: StartServer, name: str) -> None:  # 03-32
    server = shared_server(PERSONAL)
    async with connected(server, token(name)) as first, connected(server, token("another")) as other:
        async with connected(server, token(name)) as second:
            assert await first.closed() == (3504, "connection limit")
            assert await second.call(unsubscribe={"channel": "x"}) == {}
        assert await other.call(unsubscribe={"channel": "x"}) == {}


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_the_api_subscribes_and_unsubscribes(server: Server, name: str, is_protobuf: bool) -> None:  # 01-40
    channel = f"rec:{name}"
    async with connected(server, token(name), is_protobuf=is_protobuf) as client:
        epoch = (await server.api("publish", {"channel": channel, "data": 0}))["epoch"]
        await server.api("subscribe", {"user": name, "channel": channel})
        body = {"recoverable": True, "positioned": True, "epoch": epoch, "offset": 1}
        assert await client.push() == {"channel": channel, "subscribe": body}
        await server.api("publish", {"channel": channel, "data": 1})
        assert (await client.publication())["offset"] == 2
        await server.api("unsubscribe", {"user": name, "channel": channel})
        unsubscribe = {"code": 2000, "reason": "server unsubscribe"}
        assert await client.push() == {"channel": channel, "unsubscribe": unsubscribe}
        await server.api("publish", {"channel": channel, "data": 2})
        assert await client.pushes_so_far() == []


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_the_api_refreshes_and_disconnects(server: Server, name: str, is_protobuf: bool) -> None:  # 01-40
    async with connected(server, token(name), is_protobuf=is_protobuf) as client:
        await server.api("refresh", {"user": name, "expire_at": 4102444800})
        refresh = (await client.push())["refresh"]
        assert refresh["expires"]
        assert abs(refresh["ttl"] - 365 * 86400) < 5
        await server.api("disconnect", {"user": name})
        assert await client.closed() == (3503, "force disconnect")
        assert client.nothing_waits()


@pytest.mark.parametrize(
    ("reason", "seen"),
    [
        pytest.param("bye", "bye", id="02-19-short"),
        pytest.param("x" * 200, "x" * 123, id="02-19-d7-long"),
        pytest.param("é" * 100, "é" * 61, id="d7-cut-between-characters"),
    ],
)
async def test_a_disconnect_carries_code_and_reason(server: Server, name: str, reason: str, seen: str) -> None:
    async with connected(server, token(name)) as client:
        await server.api("disconnect", {"user": name, "disconnect": {"code": 4001, "reason": reason}})
        assert await client.closed() == (4001, seen)
        assert client.nothing_waits()


async def test_unsubscribing_works_for_server_side_subscriptions_too(server: Server, name: str) -> None:  # 01 6.3
    async with opened(server) as client:
        await client.connect(token=token(name, channels=[f"rec:{name}"]))
        await client.call(unsubscribe={"channel": f"rec:{name}"})
        await server.api("publish", {"channel": f"rec:{name}", "data": 1})
        assert await client.pushes_so_far() == []


async def test_subscribing_by_api_meets_the_channel_limit(private_server: StartServer, name: str) -> None:  # 01 5.8
    server = private_server({**OPEN, "client": {**OPEN["client"], "channel_limit": 1}})
    async with connected(server, token(name)) as client:
        await asyncio.gather(*(server.api("subscribe", {"user": name, "channel": f"{name}-{n}"}) for n in range(2)))
        assert await client.closed() == (3505, "channel limit")
