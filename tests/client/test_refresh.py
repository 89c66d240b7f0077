"""Effects of a new token on a live connection: capabilities and server filters (03 §14.1, §14.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.harness import Rig

CLOSED = {"channel": {"namespaces": [{"name": "closed", "history_size": 10, "history_ttl": 300, "presence": True}]}}
ALL = {"channels": ["closed:*"], "match": "wildcard", "allow": ["sub", "pub", "hst", "prs"]}


def only(channel: str, *codes: str) -> dict[str, Any]:
    return {"channels": [channel], "allow": list(codes)}


def team(value: str) -> dict[str, Any]:
    return {"key": "team", "cmp": "eq", "val": value}


@pytest.fixture
async def closed(make_rig: Callable[..., Rig]) -> Rig:
    """A node with a namespace that allows nothing."""
    return make_rig(CLOSED)


# ------------------------------------------------------------------------------------------------------ capabilities


async def test_a_refresh_replaces_capabilities_and_ends_uncovered_subscriptions(closed: Rig) -> None:
    client = closed.connected(caps=[ALL])
    for channel in ("closed:a", "closed:b"):
        assert "subscribe" in client.call(subscribe={"channel": channel})
    assert "refresh" in client.call(refresh={"token": token("ann", caps=[only("closed:b", "sub")])})
    await closed.settle()
    assert client.pushes == [
        {"channel": "closed:a", "unsubscribe": {"code": 2000, "reason": "server unsubscribe"}},
    ]
    assert not client.session.is_subscribed("closed:a")
    assert client.session.is_subscribed("closed:b")
    assert client.call(subscribe={"channel": "closed:a"})["error"]["code"] == 103
    assert client.call(publish={"channel": "closed:b", "data": 1})["error"]["code"] == 103


async def test_a_token_without_capabilities_takes_all(closed: Rig) -> None:
    client = closed.connected(caps=[ALL])
    client.call(subscribe={"channel": "closed:a"})
    client.call(refresh={"token": token("ann")})
    await closed.settle()
    assert [push["unsubscribe"]["code"] for push in client.pushes] == [2000]
    assert client.call(history={"channel": "closed:a"})["error"]["code"] == 103


async def test_a_refresh_may_add_capabilities(closed: Rig) -> None:
    client = closed.connected()
    assert client.call(subscribe={"channel": "closed:a"})["error"]["code"] == 103
    client.call(refresh={"token": token("ann", caps=[ALL])})
    assert "subscribe" in client.call(subscribe={"channel": "closed:a"})
    assert "presence" in client.call(presence={"channel": "closed:a"})
    assert "history" in client.call(history={"channel": "closed:a"})


async def test_subscriptions_that_something_else_allowed_stay(closed: Rig) -> None:
    client = closed.connected(caps=[only("news", "pub")], channels=["closed:mine"])
    client.call(subscribe={"channel": "news"})
    client.call(subscribe={"channel": "closed:a", "token": token("ann", channel="closed:a")})
    client.call(refresh={"token": token("ann", channels=["closed:mine"])})
    await closed.settle()
    assert client.pushes == []
    assert set(client.session.subscriptions) == {"news", "closed:a", "closed:mine"}


async def test_a_subscribe_in_flight_ends_as_well(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig({"client": {"concurrency": 2}, **CLOSED})
    client = rig.connected(caps=[ALL])
    rig.gate.hold("add")
    (subscribe,) = client.send({"subscribe": {"channel": "closed:a"}})
    assert "refresh" in client.call(refresh={"token": token("ann")})
    rig.gate.release("add")
    await rig.settle()
    assert "subscribe" in client.reply(subscribe)
    assert [push["unsubscribe"]["code"] for push in client.pushes] == [2000]
    assert rig.node.hub.subscription_count == 0
    assert await rig.present("closed:a") == set()


async def test_capabilities_of_a_subscription_are_replaced_with_its_token(closed: Rig) -> None:
    client = closed.connected()
    channel = "closed:a"
    client.call(subscribe={"channel": channel, "token": token("ann", channel=channel, allow=["pub", "hst"])})
    assert "publish" in client.call(publish={"channel": channel, "data": 1})
    assert "history" in client.call(history={"channel": channel})
    assert client.call(presence={"channel": channel})["error"]["code"] == 103
    client.call(sub_refresh={"channel": channel, "token": token("ann", channel=channel, allow=["prs"])})
    assert client.call(publish={"channel": channel, "data": 1})["error"]["code"] == 103
    assert "presence" in client.call(presence={"channel": channel})
    client.call(sub_refresh={"channel": channel, "token": token("ann", channel=channel)})
    assert client.call(presence={"channel": channel})["error"]["code"] == 103
    client.call(unsubscribe={"channel": channel})
    assert client.call(presence={"channel": channel})["error"]["code"] == 103


# ------------------------------------------------------------------------------------------------------ filters

FILTERS = {
    "channel": {
        "namespaces": [
            {
                "name": "tags",
                "history_size": 10,
                "history_ttl": 300,
                "force_recovery": True,
                "allow_tags_filter": True,
                "allow_history_for_subscriber": True,
                "allowed_delta_types": ["fossil"],
            }
        ]
    }
}


@pytest.fixture
async def tagged(make_rig: Callable[..., Rig]) -> Rig:
    """A node with a namespace of tagged publications."""
    return make_rig(FILTERS)


def ticket(**claims: Any) -> str:
    return token("ann", channel="tags:x", **claims)


async def publish(rig: Rig, client: Any, *teams: str) -> list[str]:
    """Publish to teams, and return for which ones of all so far the client has got something."""
    for one in teams:
        await rig.publish_tagged("tags:x", {"team": one, "kind": "k" if one.isupper() else "l"})
    await rig.settle()
    return [push["pub"]["tags"]["team"] for push in client.pushes if "pub" in push]


async def test_another_filter_counts_at_once_and_the_clients_own_one_stays(tagged: Rig) -> None:
    client = tagged.connected()
    own = {"key": "kind", "cmp": "eq", "val": "k"}
    client.call(subscribe={"channel": "tags:x", "token": ticket(server_tags_filter=team("A")), "tf": own})
    assert await publish(tagged, client, "A", "B", "a") == ["A"]
    client.call(sub_refresh={"channel": "tags:x", "token": ticket(server_tags_filter=team("B"))})
    assert await publish(tagged, client, "A", "B", "b") == ["A", "B"]
    client.call(sub_refresh={"channel": "tags:x", "token": ticket(server_tags_filter={"key": "team", "cmp": "ex"})})
    assert await publish(tagged, client, "C", "c") == ["A", "B", "C"]
    assert client.code is None


async def test_no_filter_in_a_new_token_keeps_the_old_one(tagged: Rig) -> None:
    client = tagged.connected()
    client.call(subscribe={"channel": "tags:x", "token": ticket(server_tags_filter=team("A"))})
    client.call(sub_refresh={"channel": "tags:x", "token": ticket()})
    assert await publish(tagged, client, "A", "B") == ["A"]


async def test_a_refresh_may_add_a_filter(tagged: Rig) -> None:
    client = tagged.connected()
    client.call(subscribe={"channel": "tags:x", "token": ticket()})
    assert await publish(tagged, client, "A", "B") == ["A", "B"]
    client.call(sub_refresh={"channel": "tags:x", "token": ticket(server_tags_filter=team("A"))})
    assert await publish(tagged, client, "A", "B") == ["A", "B", "A"]


async def test_an_invalid_filter_changes_nothing(tagged: Rig) -> None:
    client = tagged.connected()
    client.call(subscribe={"channel": "tags:x", "token": ticket(server_tags_filter=team("A"))})
    reply = client.call(sub_refresh={"channel": "tags:x", "token": ticket(server_tags_filter={"cmp": "eq"}, exp=2**40)})
    assert reply["error"]["code"] == 100
    assert client.session.subscriptions["tags:x"].expire_at == 0
    assert await publish(tagged, client, "A", "B") == ["A"]


async def test_an_invalid_filter_keeps_one_from_subscribing_and_connecting(tagged: Rig) -> None:
    client = tagged.connected()
    reply = client.call(subscribe={"channel": "tags:x", "token": ticket(server_tags_filter={"cmp": "eq"})})
    assert reply["error"]["code"] == 100
    assert client.session.subscriptions == {}
    other = tagged.open()
    assert other.connect(subs={"tags:x": {"server_tags_filter": {"op": "xor"}}})["error"]["code"] == 100


async def test_history_is_filtered_for_a_filtered_subscriber(tagged: Rig) -> None:
    client = tagged.connected()
    client.call(subscribe={"channel": "tags:x", "token": ticket(server_tags_filter=team("A"))})
    await publish(tagged, client, "A", "B", "A")
    result = client.call(history={"channel": "tags:x", "limit": -1})["history"]
    assert [one["offset"] for one in result["publications"]] == [1, 3]
    assert result["offset"] == 3


async def test_delta_and_a_filter_of_the_server_do_not_go_together(tagged: Rig) -> None:
    client = tagged.connected()
    command = {"channel": "tags:x", "token": ticket(server_tags_filter=team("A")), "delta": "fossil"}
    assert "delta" not in client.call(subscribe=command)["subscribe"]
    server_side = tagged.open()
    filtered = {"tags:x": {"server_tags_filter": team("A")}}
    result = server_side.call(connect={"token": token("bob", subs=filtered), "subs": {"tags:x": {"delta": "fossil"}}})[
        "connect"
    ]
    assert "delta" not in result["subs"]["tags:x"]
    assert await publish(tagged, server_side, "A", "B") == ["A"]
