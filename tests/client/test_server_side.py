"""Subscriptions by the server API: renewed, in flight, failing (01 §8.8, §14; 05 §6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.node.connection_filter import ConnectionFilter
from fanjet.protocol.codes import ReplyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.protocol.publication import StreamPosition
    from tests.client.harness import Rig

SUBSCRIBE = {"subscribe": {"channel": "full:a"}}


async def subscribe(rig: Rig, channel: str = "full:a", since: StreamPosition | None = None, **changes: object) -> None:
    await rig.node.subscribe(ConnectionFilter("ann"), channel, rig.options(channel, **changes), since)


def subscribe_pushes(client) -> list[dict]:
    return [push["subscribe"] for push in client.pushes if "subscribe" in push]


async def test_it_is_pushed_then_publications_follow(rig: Rig) -> None:
    client = rig.connected()
    await subscribe(rig)
    await rig.publish("full:a", b"1")
    await rig.settle()
    assert list(client.pushes[0]) == ["channel", "subscribe"]
    assert client.data("full:a") == [1]


async def test_recovered_publications_follow_the_push(rig: Rig) -> None:
    client = rig.connected()
    first = await rig.publish("full:a", b"1")
    await rig.publish("full:a", b"2")
    rig.gate.hold("history")
    call = rig.start(subscribe(rig, since=first.position))
    await rig.publish("full:a", b"3")
    rig.gate.release("history")
    await call
    await rig.publish("full:a", b"4")
    await rig.settle()
    assert "subscribe" in client.pushes[0]
    assert client.pushes[0]["subscribe"]["offset"] == 1
    assert client.data("full:a") == [2, 3, 4]


async def test_during_a_subscribe_in_flight_it_waits_and_subscribes_again(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("history")
    (number,) = client.send(SUBSCRIBE)
    call = rig.start(subscribe(rig))
    await rig.settle()
    rig.gate.release("history")
    await call
    await rig.settle()
    assert "subscribe" in client.reply(number)
    assert len(subscribe_pushes(client)) == 1
    assert client.session.subscriptions["full:a"].server_side
    assert rig.node.hub.subscription_count == 1
    await rig.publish("full:a", b"1")
    await rig.settle()
    assert client.data("full:a") == [1]


async def test_calls_that_meet_are_done_one_after_another(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("history")
    calls = [rig.start(subscribe(rig)) for _ in range(4)]
    await rig.settle()
    for _ in calls:
        assert rig.gate.waiting("history") == 1
        rig.gate.release_one("history")
        await rig.settle()
    for call in calls:
        await call
    assert len(subscribe_pushes(client)) == 4
    assert rig.node.hub.subscription_count == 1
    await rig.publish("full:a", b"1")
    await rig.settle()
    assert client.data("full:a") == [1]
    client.transport.lose()
    await rig.settle()
    rig.assert_nothing_left()


async def test_a_stuck_subscribe_closes_its_connection_and_the_others_are_served(rig: Rig) -> None:
    stuck, other = rig.connected(), rig.connected()
    rig.gate.hold("history")
    stuck.send(SUBSCRIBE)
    call = rig.start(subscribe(rig))
    await rig.settle()
    await rig.pass_time(5.1)
    assert stuck.code == 3004
    rig.gate.release("history")
    await call
    await rig.settle()
    assert len(subscribe_pushes(other)) == 1
    assert await rig.present("full:a") == {other.session.client_id}


async def test_renewing_sends_no_leave(rig: Rig) -> None:
    client, watcher = rig.connected(), rig.connected("bob")
    watcher.call(**SUBSCRIBE)
    client.call(**SUBSCRIBE)
    await subscribe(rig)
    await rig.settle()
    assert ["leave" in push for push in watcher.pushes if push.get("channel") == "full:a"].count(True) == 0
    assert ["join" in push for push in watcher.pushes].count(True) == 3


async def test_renewing_without_presence_removes_the_entry(rig: Rig) -> None:
    client = rig.connected()
    client.call(**SUBSCRIBE)
    await subscribe(rig, presence=False)
    assert await rig.present("full:a") == set()
    assert client.session.is_subscribed("full:a")


@pytest.mark.parametrize("call", ["add", "history"])
async def test_a_failed_renewal_closes_and_leaves_nothing_behind(rig: Rig, call: str) -> None:
    client = rig.connected()
    client.call(**SUBSCRIBE)
    rig.gate.fail(call, EngineUnavailable("x"))
    await subscribe(rig)
    assert client.code == 3004
    await rig.settle()
    rig.assert_nothing_left()


@pytest.mark.parametrize("step", ["subscribe", "add", "history", "history answer"])
async def test_a_connection_that_ends_meanwhile_leaves_nothing_behind(rig: Rig, step: str) -> None:
    client = rig.connected()
    rig.gate.hold(step)
    call = rig.start(subscribe(rig))
    await rig.settle()
    client.transport.lose()
    rig.gate.release(step)
    await call
    await rig.settle()
    rig.assert_nothing_left()


async def test_a_connection_that_ends_while_a_renewal_waits_leaves_nothing_behind(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("history")
    client.send(SUBSCRIBE)
    call = rig.start(subscribe(rig))
    await rig.settle()
    client.transport.lose()
    rig.gate.release("history")
    await call
    await rig.settle()
    rig.assert_nothing_left()


async def test_operations_of_a_cancelled_call_complete(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("history")
    call = rig.start(subscribe(rig))
    await rig.settle()
    call.cancel()
    await rig.settle()
    assert call.cancelled()
    rig.gate.release("history")
    await rig.settle()
    assert client.session.subscriptions["full:a"].active
    assert rig.node.hub.subscription_count == 1
    assert await rig.present("full:a") == {client.session.client_id}


async def test_the_channel_limit_closes_the_connection(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig({"client": {"channel_limit": 1}})
    client = rig.connected()
    await subscribe(rig)
    await subscribe(rig, "news")
    assert client.code == 3505
    await rig.settle()
    rig.assert_nothing_left()


async def test_an_expiry_in_the_past_fails_the_call_and_keeps_the_connection(rig: Rig) -> None:
    client = rig.connected()
    with pytest.raises(ReplyError):
        await subscribe(rig, expire_at=int(rig.clock.unix()))
    assert client.code is None
    assert client.pushes == []


async def test_data_that_is_not_json_fails_the_call_but_subscribes(rig: Rig) -> None:
    client = rig.connected()
    with pytest.raises(ReplyError):
        await subscribe(rig, data=b"\xff")
    assert client.session.is_subscribed("full:a")
    assert subscribe_pushes(client) == []
