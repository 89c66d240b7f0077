"""Subscribing and unsubscribing: refusals, limits, grants (01 §6.2, §6.3, 03 §2-4)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.tokens import token
from tests.support.wire_client import connected

if TYPE_CHECKING:
    from tests.support.server import Server

ENCODINGS = [pytest.param(False, id="json"), pytest.param(True, id="protobuf")]


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_a_channel_is_subscribed_once(server: Server, name: str, is_protobuf: bool) -> None:  # 01-9, 03-21
    async with connected(server, is_protobuf=is_protobuf) as client:
        assert await client.subscribe(name) == {}
        reply = await client.call(subscribe={"channel": name})
        assert reply == {"error": {"code": 105, "message": "already subscribed"}}
        assert await client.call(unsubscribe={"channel": name}) == {}
        assert await client.subscribe(name) == {}


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        pytest.param({"channel": "x" * 256}, 107, id="01-11-03-16-256-bytes"),
        pytest.param({"channel": "café"}, 107, id="01-11-not-ascii"),
        pytest.param({"channel": "closed:café"}, 107, id="03-16-not-ascii-in-namespace"),
        pytest.param({"channel": "nope:x"}, 102, id="01-11-03-15-unknown-namespace"),
        pytest.param({"channel": "$private"}, 103, id="01-11-private"),
        pytest.param({"channel": "$clients:x"}, 103, id="03-18-private-in-namespace"),
        pytest.param({"channel": "closed:x"}, 103, id="03-16-closed"),
        pytest.param({"channel": "clients:x"}, 103, id="03-18-anonymous"),
        pytest.param({"channel": "num:a"}, 107, id="03-17-regex"),
        pytest.param({"channel": "x", "type": 4}, 108, id="03-42-shared-poll"),
        pytest.param({"channel": "closed:x", "type": 1}, 103, id="03-42-map"),
        pytest.param({"channel": "x", "type": 9}, 107, id="fix-9-unknown-type"),
        pytest.param({"channel": "map:x"}, 108, id="not-built-namespace-of-another-type"),
        pytest.param({"channel": "map:x", "type": 1}, 108, id="not-built-map"),
    ],
)
async def test_what_cannot_be_subscribed(server: Server, request_: dict[str, Any], code: int) -> None:
    async with connected(server) as client:
        assert await client.error(subscribe=request_) == code
        assert await client.subscribe("x" * 255) == {}  # the connection goes on


async def test_there_is_a_limit_to_channels(server: Server) -> None:  # 01-12
    async with connected(server) as client:
        for number in range(128):
            await client.subscribe(f"channel-{number}")
        assert await client.error(subscribe={"channel": "one-more"}) == 106
        await client.call(unsubscribe={"channel": "channel-0"})
        assert await client.subscribe("one-more") == {}


async def test_users_see_what_anonymous_ones_do_not(server: Server, name: str) -> None:  # 03-18
    async with connected(server, token(name)) as client:
        assert await client.subscribe(f"clients:{name}") == {}
        assert await client.error(subscribe={"channel": f"$clients:{name}"}) == 103
        private = token(name, channel=f"$clients:{name}")
        assert await client.subscribe(f"$clients:{name}", token=private) == {}


@pytest.mark.parametrize(
    ("user", "channel", "accepted"),
    [
        pytest.param("u1", "dm:a#u1,u2", True, id="03-19-listed"),
        pytest.param("u2", "dm:a#u1,u2", True, id="03-19-listed-second"),
        pytest.param("u3", "dm:a#u1,u2", False, id="03-19-not-listed"),
        pytest.param("u3", "dm:plain", True, id="03-19-no-list"),
        pytest.param("u3", "clients:a#u1,u2", True, id="03-19-the-option-is-off"),
        pytest.param("", "dm:a#u1,", False, id="d16-anonymous-and-an-empty-item"),
    ],
)
async def test_user_limited_channels(server: Server, user: str, channel: str, accepted: bool) -> None:
    async with connected(server, token(user)) as client:
        if accepted:
            assert await client.subscribe(channel) == {}
        else:
            assert await client.error(subscribe={"channel": channel}) == 103


@pytest.mark.parametrize(
    ("claims", "secret", "outcome"),
    [
        pytest.param({"channel": "closed:x"}, None, 0, id="03-20-valid"),
        pytest.param({"channel": "closed:x", "exp": 1}, None, 109, id="03-20-expired"),
        pytest.param({"channel": "closed:x"}, "another", 103, id="03-20-signature"),
        pytest.param({"channel": "closed:y"}, None, 3500, id="03-20-other-channel"),
        pytest.param({"channel": "closed:x", "sub": "u2"}, None, 3500, id="03-20-other-user"),
        pytest.param({"channel": "closed:x", "client": "other"}, None, 3500, id="6.2-7-other-client"),
        pytest.param({}, None, 103, id="03-20-no-channel"),
        pytest.param({"channel": "nope:x"}, None, 102, id="6.2-7-unknown-namespace"),
        pytest.param({"channel": "closed:x", "exp": 4102444800, "expire_at": 5}, None, 110, id="6.2-8-expired-at"),
    ],
)
async def test_subscription_tokens(server: Server, claims: dict[str, Any], secret: str | None, outcome: int) -> None:
    claims = {"sub": "u1", **claims}
    signed = token(claims.pop("sub"), **claims, **({"secret": secret} if secret else {}))
    async with connected(server, token("u1")) as client:
        subscribe = {"channel": "closed:x", "token": signed}
        if outcome == 3500:
            await client.send({"id": 2, "subscribe": subscribe})
            assert await client.closed() == (3500, "invalid token")
        elif outcome:
            assert await client.error(subscribe=subscribe) == outcome
        else:
            assert await client.subscribe(**subscribe) == {}


async def test_a_token_brings_data_and_info(server: Server, name: str) -> None:  # 03 6.6
    channel = f"joins:{name}"
    signed = token("u1", channel=channel, info={"i": 1}, data={"d": 1}, exp=int(time.time()) + 60)
    async with connected(server, token("u1", info={"c": 1})) as client:
        result = await client.subscribe(channel, token=signed)
        assert result.pop("ttl") in {59, 60}
        assert result == {"expires": True, "data": {"d": 1}}
        join = await client.push()
        info = {"user": "u1", "client": client.client_id, "conn_info": {"c": 1}, "chan_info": {"i": 1}}
        assert join == {"channel": channel, "join": {"info": info}}


@pytest.mark.parametrize(
    ("namespace", "wish", "granted"),
    [
        pytest.param("rec", {}, {"recoverable", "positioned"}, id="01-29-forced"),
        pytest.param("plain", {"recoverable": True, "positioned": True}, set(), id="03-26-no-permission"),
        pytest.param("wish", {"recoverable": True}, {"recoverable", "positioned"}, id="03-26-allow-recovery"),
        pytest.param("wish", {}, set(), id="not-asked-for"),
        pytest.param("wish", {"positioned": True}, set(), id="positions-are-another-permission"),
        pytest.param("reader", {"recoverable": True}, {"recoverable", "positioned"}, id="03-26-history-access"),
        pytest.param("positions", {"positioned": True}, {"positioned"}, id="allow-positioning"),
        pytest.param("positions", {"recoverable": True}, set(), id="recovery-is-another-permission"),
    ],
)
async def test_wishes_are_granted_by_permission(
    server: Server, name: str, namespace: str, wish: dict[str, bool], granted: set[str]
) -> None:
    async with connected(server, token("u1")) as client:
        result = await client.subscribe(f"{namespace}:{name}", **wish)
        assert result.keys() - {"epoch"} == granted  # the offset is zero, so it is not there
        assert ("epoch" in result) == bool(granted)


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_a_fresh_subscription_learns_the_position(server: Server, name: str, is_protobuf: bool) -> None:  # 01-29
    channel = f"rec:{name}"
    position = await server.api("publish", {"channel": channel, "data": 1})
    async with connected(server, is_protobuf=is_protobuf) as client:
        assert await client.subscribe(channel) == {
            "recoverable": True,
            "positioned": True,
            "epoch": position["epoch"],
            "offset": 1,
        }


async def test_the_flag_for_numeric_ids_means_nothing_where_they_are_not_allowed(server: Server, name: str) -> None:
    async with connected(server) as client:  # 01-47
        assert await client.subscribe(name, flag=1) == {}
        await server.api("publish", {"channel": name, "data": 1})
        assert await client.push() == {"channel": name, "pub": {"data": 1}}


async def test_after_unsubscribing_nothing_comes(server: Server, name: str) -> None:  # 01 6.3
    async with connected(server) as client:
        await client.subscribe(name)
        await server.api("publish", {"channel": name, "data": 1})
        await client.call(unsubscribe={"channel": name})
        await server.api("publish", {"channel": name, "data": 2})
        assert [push["pub"]["data"] for push in await client.pushes_so_far()] == [1]


async def test_unsubscribe_and_subscribe_back_to_back_are_done_in_order(server: Server, name: str) -> None:  # 01 16.14
    async with connected(server) as client:
        await client.subscribe(name)
        await client.send(
            {"id": 10, "unsubscribe": {"channel": name}},
            {"id": 11, "subscribe": {"channel": name}},
            {"id": 12, "subscribe": {"channel": name}},
        )
        replies = [await client.receive() for _ in range(3)]
        assert [("error" in reply, reply["id"]) for reply in replies] == [(False, 10), (False, 11), (True, 12)]
