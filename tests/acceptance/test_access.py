"""Capabilities, channel patterns, expressions and the server's tags filter on a running server (03 §14, 11 §12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.configs import RECOVERABLE
from tests.support.server import ApiError
from tests.support.tokens import token
from tests.support.wire_client import WireClient, connected, opened

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.server import Server

ENCODINGS = [pytest.param(False, id="json"), pytest.param(True, id="protobuf")]
HISTORY = {"history_size": 10, "history_ttl": "300s"}
EVERYTHING = ["sub", "pub", "hst", "prs"]

CONFIG: dict[str, Any] = {
    "client": {"allow_anonymous_connect_without_token": True},
    "channel": {
        "patterns": True,
        "namespaces": [
            {"name": "nn", **HISTORY, "presence": True, "join_leave": True},
            {"name": "dm", "allow_user_limited_channels": True},
            {"name": "rooms", "pattern": "/room/:id", "allow_subscribe_for_client": True},
            {"name": "lobby", "pattern": "/room/lobby", "allow_publish_for_client": True},
            {"name": "admins", "subscribe_cel": "'admin' in meta.roles"},
            {
                "name": "own",
                "pattern": "/users/:user",
                "subscribe_cel": "vars.user == user or 'admin' in meta.roles",
                "publish_cel": "subscribed && channel == '/users/' + user",
                "history_cel": "'tier' in labels && labels.tier == 'pro'",
                "presence_cel": "meta.level >= 3",
                "presence": True,
                **HISTORY,
            },
            {"name": "tags", **RECOVERABLE, "allow_tags_filter": True, "allowed_delta_types": ["fossil"]},
            {
                "name": "tagcache",
                **RECOVERABLE,
                "allow_tags_filter": True,
                "force_recovery_mode": "cache",
            },
        ],
    },
}


@pytest.fixture
def server(shared_server: StartServer) -> Server:
    return shared_server(CONFIG)


def user(name: str = "u1", **claims: Any) -> str:
    return token(name, **claims)


# ------------------------------------------------------------------------------------------------------ capabilities


async def test_capabilities_of_a_connection(server: Server, name: str) -> None:  # 03-48
    first, second = f"nn:{name}1", f"nn:{name}2"
    caps = [
        {"channels": ["nn:*"], "match": "wildcard", "allow": ["sub"]},
        {"channels": [first], "allow": ["pub"]},
    ]
    async with connected(server, user(caps=caps)) as client:
        await client.subscribe(first)
        await client.subscribe(second)
        assert await client.call(publish={"channel": first, "data": 1}) == {}
        assert await client.error(publish={"channel": second, "data": 1}) == 103
        assert await client.error(history={"channel": first}) == 103
        assert await client.error(presence={"channel": first}) == 103


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_capabilities_grant_what_wishes_need(server: Server, name: str, is_protobuf: bool) -> None:
    channel = f"nn:{name}"
    wishes = {"positioned": True, "recoverable": True, "join_leave": True}
    caps = [{"channels": ["^nn:"], "match": "regex", "allow": EVERYTHING}]
    async with connected(server, user(caps=caps), is_protobuf=is_protobuf) as client:
        result = await client.subscribe(channel, **wishes)
        assert (result["positioned"], result["recoverable"]) == (True, True)
        assert "join" in await client.push()
        assert (await client.call(history={"channel": channel, "limit": 1}))["epoch"]
        assert (await client.call(presence_stats={"channel": channel}))["num_clients"] == 1
    less = [{"channels": [channel], "allow": ["sub"]}]
    async with connected(server, user(caps=less), is_protobuf=is_protobuf) as client:
        result = await client.subscribe(channel, **wishes)
        assert "positioned" not in result
        assert "recoverable" not in result


async def test_private_channels_need_a_token_whatever_capabilities_say(server: Server, name: str) -> None:
    caps = [{"channels": ["*"], "match": "wildcard", "allow": EVERYTHING}]
    async with connected(server, user(caps=caps)) as client:
        assert await client.error(subscribe={"channel": f"$nn:{name}"}) == 103
        assert await client.error(subscribe={"channel": f"nope:{name}"}) == 102
        await client.subscribe(f"dm:{name}#somebody-else")
        assert await client.error(presence={"channel": f"dm:{name}"}) == 108


async def test_capabilities_of_a_subscription(server: Server, name: str) -> None:
    channel = f"nn:{name}"
    async with connected(server, user()) as client:
        ticket = user(channel=channel, allow=["hst", "prs"])
        result = await client.subscribe(channel, token=ticket, recoverable=True)
        assert result["recoverable"]
        assert (await client.call(history={"channel": channel, "limit": 1}))["epoch"]
        assert len((await client.call(presence={"channel": channel}))["presence"]) == 1
        assert await client.error(publish={"channel": channel, "data": 1}) == 103
        assert await client.error(history={"channel": f"nn:{name}2"}) == 103
        await client.call(unsubscribe={"channel": channel})
        assert await client.error(history={"channel": channel}) == 103


@pytest.mark.parametrize("caps", [{}, "sub", [{"channels": "nn:1"}], [{"channels": ["nn:1"], "allow": [1]}]])
async def test_claims_of_another_shape_allow_nothing(server: Server, caps: Any) -> None:
    async with connected(server, user(caps=caps)) as client:
        assert await client.error(subscribe={"channel": "nn:1"}) == 103


async def test_a_refresh_without_capabilities_ends_what_they_allowed(server: Server, name: str) -> None:
    channel = f"nn:{name}"
    caps = [{"channels": [channel], "allow": ["sub"]}]
    async with connected(server, user(caps=caps)) as client:
        await client.subscribe(channel)
        assert await client.call(refresh={"token": user()}) == {}
        (push,) = await client.pushes_so_far()
        assert (push["channel"], push["unsubscribe"]["code"]) == (channel, 2000)
        assert await client.error(subscribe={"channel": channel}) == 103


# ------------------------------------------------------------------------------------------------------ patterns


async def test_channels_belong_to_the_pattern_they_match(server: Server) -> None:  # 03-49
    async with connected(server, user()) as client:
        await client.subscribe("/room/7")
        assert await client.error(subscribe={"channel": "/room/7/x"}) == 102
        assert await client.error(subscribe={"channel": "/other"}) == 102
        assert await client.error(subscribe={"channel": "rooms:7"}) == 102
        assert await client.error(subscribe={"channel": "/room/lobby"}) == 103
        assert await client.call(publish={"channel": "/room/lobby", "data": 1}) == {}
        assert await client.error(publish={"channel": "/room/7", "data": 1}) == 103
    await server.api("publish", {"channel": "/room/7", "data": 1})
    with pytest.raises(ApiError, match="102"):
        await server.api("publish", {"channel": "/room/7/x", "data": 1})


# ------------------------------------------------------------------------------------------------------ expressions


async def test_an_expression_about_meta(server: Server, name: str) -> None:  # 03-50
    async with connected(server, user(meta={"roles": ["admin"]})) as admin, connected(server, user()) as other:
        await admin.subscribe(f"admins:{name}")
        assert await other.error(subscribe={"channel": f"admins:{name}"}) == 103
    async with connected(server, user(meta={"roles": ["guest"]})) as guest, connected(server) as anonymous:
        assert await guest.error(subscribe={"channel": f"admins:{name}"}) == 103
        assert await anonymous.error(subscribe={"channel": f"admins:{name}"}) == 103


async def test_expressions_about_variables_and_subscriptions(server: Server, name: str) -> None:
    mine, other = f"/users/{name}", "/users/other"
    async with connected(server, user(name)) as client:
        assert await client.error(publish={"channel": mine, "data": 1}) == 103
        await client.subscribe(mine)
        assert await client.call(publish={"channel": mine, "data": 1}) == {}
        assert await client.error(subscribe={"channel": other}) == 103
        assert await client.error(history={"channel": mine, "limit": 1}) == 103
        assert await client.error(presence={"channel": mine}) == 103
    async with connected(server, user(name, meta={"level": 3}, labels={"tier": "pro"})) as client:
        assert (await client.call(history={"channel": mine, "limit": 1}))["publications"]
        assert "error" not in await client.call(presence={"channel": mine})
        assert "error" not in await client.call(presence_stats={"channel": mine})


async def test_a_refresh_changes_what_expressions_see(server: Server, name: str) -> None:
    async with connected(server, user()) as client:
        assert await client.error(subscribe={"channel": f"admins:{name}"}) == 103
        await client.call(refresh={"token": user(meta={"roles": ["admin"]})})
        await client.subscribe(f"admins:{name}")


# ------------------------------------------------------------------------------------------------------ server filter


def team(value: str) -> dict[str, str]:
    return {"key": "team", "cmp": "eq", "val": value}


async def publish(server: Server, channel: str, *teams: str) -> dict[str, Any]:
    position: dict[str, Any] = {}
    for one in teams:
        position = await server.api("publish", {"channel": channel, "data": {}, "tags": {"team": one, "x": one[-1]}})
    return position


async def teams_so_far(client: WireClient) -> list[str]:
    return [push["pub"]["tags"]["team"] for push in await client.pushes_so_far()]


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_a_subscription_token_filters_what_is_delivered_and_recovered(  # 11-27
    server: Server, name: str, is_protobuf: bool
) -> None:
    channel = f"tags:{name}"
    async with connected(server, user(), is_protobuf=is_protobuf) as client:
        request = {"token": user(channel=channel, server_tags_filter=team("eng")), "delta": "fossil"}
        start = await client.subscribe(channel, **request)
        assert "delta" not in start
        await publish(server, channel, "eng", "sales", "eng")
        assert await teams_so_far(client) == ["eng", "eng"]
        await client.call(unsubscribe={"channel": channel})
        await publish(server, channel, "sales", "eng", "sales")
        again = await client.subscribe(channel, **request, recover=True, offset=3, epoch=start["epoch"])
        assert again["recovered"]
        assert [one["offset"] for one in again["publications"]] == [5]
        await publish(server, channel, "sales", "eng")
        assert [push["pub"]["offset"] for push in await client.pushes_so_far()] == [8]


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_a_filter_of_the_client_narrows_and_never_widens(server: Server, name: str, is_protobuf: bool) -> None:
    channel = f"tags:{name}"
    async with connected(server, user(), is_protobuf=is_protobuf) as client:
        ticket = user(channel=channel, server_tags_filter={"key": "team", "cmp": "sw", "val": "e"})
        await client.subscribe(channel, token=ticket, tf={"key": "x", "cmp": "eq", "val": "g"})
        await publish(server, channel, "eng", "eve", "bug", "egg")
        assert await teams_so_far(client) == ["eng", "egg"]


async def test_recovery_of_the_cache_looks_for_the_latest_that_passes(server: Server, name: str) -> None:
    channel = f"tagcache:{name}"
    await publish(server, channel, "eng", "eve", "sales")
    async with connected(server, user()) as client:
        ticket = user(channel=channel, server_tags_filter={"key": "team", "cmp": "sw", "val": "e"})
        result = await client.subscribe(channel, token=ticket, recover=True)
        assert result["recovered"]
        assert [one["tags"]["team"] for one in result["publications"]] == ["eve"]
        await client.call(unsubscribe={"channel": channel})
        narrowed = await client.subscribe(channel, token=ticket, recover=True, tf=team("eng"))
        assert [one["tags"]["team"] for one in narrowed["publications"]] == ["eng"]


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_a_connection_token_filters_its_subscriptions(server: Server, name: str, is_protobuf: bool) -> None:
    channel = f"tags:{name}"
    ticket = user(subs={channel: {"server_tags_filter": team("eng")}})
    async with connected(server, ticket, is_protobuf=is_protobuf) as client:
        position = await publish(server, channel, "eng", "sales", "eng")
        assert await teams_so_far(client) == ["eng", "eng"]
    await publish(server, channel, "sales", "eng")
    async with opened(server, is_protobuf=is_protobuf) as client:
        wish = {"recover": True, "offset": position["offset"], "epoch": position["epoch"], "delta": "fossil"}
        result = (await client.connect(token=ticket, subs={channel: wish}))["subs"][channel]
        assert result["recovered"]
        assert "delta" not in result
        assert [one["offset"] for one in result["publications"]] == [5]
        await publish(server, channel, "sales", "eng")
        assert [push["pub"]["offset"] for push in await client.pushes_so_far()] == [7]


async def test_an_invalid_filter_is_the_backends_mistake(server: Server, name: str) -> None:
    channel = f"tags:{name}"
    async with connected(server, user()) as client:
        ticket = user(channel=channel, server_tags_filter={"key": "team", "cmp": "in"})
        assert await client.error(subscribe={"channel": channel, "token": ticket}) == 100
        await client.subscribe(channel, token=user(channel=channel))
    async with opened(server) as client:
        ticket = user(subs={channel: {"server_tags_filter": {"op": "not"}}})
        assert await client.error(connect={"token": ticket}) == 100
    assert "invalid server tags filter" in server.log
