"""Subscribes in flight: closes, failures, collisions and publications meanwhile (01 §6.2, §14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fanjet.engines.interfaces import EngineUnavailable, HistoryNotAvailable
from fanjet.node.connection_filter import ConnectionFilter
from fanjet.protocol.codes import (
    DISCONNECT_FORCE,
    ERROR_INTERNAL,
    ERROR_TOO_MANY_REQUESTS,
    UNSUBSCRIBE_SERVER,
    ReplyError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.harness import Rig

STEPS = ["subscribe", "subscribe answer", "add", "add answer", "history", "history answer"]
"""Every place where a subscribe with presence and recovery waits for the engine."""

SUBSCRIBE = {"subscribe": {"channel": "full:a"}}
PING = {"rpc": {"method": "ping"}}


@pytest.mark.parametrize("step", STEPS[2:])
@pytest.mark.parametrize("lost", [False, True], ids=["closed", "lost"])
async def test_a_connection_that_ends_while_subscribing_leaves_nothing_behind(rig: Rig, step: str, lost: bool) -> None:
    client, watcher = rig.connected(), rig.connected("bob")
    watcher.call(**SUBSCRIBE)
    rig.gate.hold(step)
    client.send(SUBSCRIBE)
    assert rig.gate.waiting(step) == 1
    if lost:
        client.transport.lose()
    else:
        client.session.disconnect(DISCONNECT_FORCE)
    rig.gate.release(step)
    await rig.settle()
    assert client.answered == [1]
    assert await rig.present("full:a") == {watcher.session.client_id}
    assert "ann" not in [push["join"]["info"]["user"] for push in watcher.pushes if "join" in push]
    assert rig.node.hub.subscription_count == 1
    watcher.transport.lose()
    await rig.settle()
    rig.assert_nothing_left()


@pytest.mark.parametrize("step", STEPS)
async def test_the_last_one_in_a_channel_ends_while_subscribing(rig: Rig, step: str) -> None:
    client = rig.connected()
    rig.gate.hold(step)
    client.send(SUBSCRIBE)
    assert rig.gate.waiting(step) == 1
    client.transport.lose()
    rig.gate.release(step)
    await rig.settle()
    rig.assert_nothing_left()
    await rig.pass_time(3)
    assert rig.broker.subscribed == set()
    assert rig.node.hub.channels == {}


@pytest.mark.parametrize(
    ("call", "failure", "code", "error"),
    [
        pytest.param("subscribe", EngineUnavailable("x"), 3004, None, id="broker-subscribe"),
        pytest.param("subscribe", RuntimeError("x"), 3004, None, id="broker-subscribe-defect"),
        pytest.param("subscribe", ReplyError(ERROR_INTERNAL), 3004, None, id="broker-subscribe-100"),
        pytest.param("subscribe", ReplyError(ERROR_TOO_MANY_REQUESTS), None, 111, id="broker-subscribe-other-error"),
        pytest.param("add", EngineUnavailable("x"), 3004, None, id="presence"),
        pytest.param("history", EngineUnavailable("x"), 3004, None, id="history"),
        pytest.param("history", HistoryNotAvailable(), None, 108, id="no-history"),
    ],
)
@pytest.mark.parametrize("waits", [False, True], ids=["at once", "later"])
async def test_an_engine_that_fails_ends_as_the_contract_says(
    rig: Rig, call: str, failure: Exception, code: int | None, error: int | None, waits: bool
) -> None:
    client = rig.connected()
    if waits:
        rig.gate.hold(call)
    rig.gate.fail(call, failure)
    (number,) = client.send(SUBSCRIBE)
    rig.gate.release(call)
    await rig.settle()
    assert client.code == code
    if error is None:
        assert client.answered == [1]
    else:
        assert client.error(number) == error
        assert "subscribe" in client.call(**SUBSCRIBE)
        client.transport.lose()
        await rig.settle()
    rig.assert_nothing_left()


@pytest.mark.parametrize(
    ("call", "command"),
    [
        pytest.param("history", {"history": {"channel": "full:a"}}, id="history"),
        pytest.param("presence", {"presence": {"channel": "full:a"}}, id="presence"),
        pytest.param("presence_stats", {"presence_stats": {"channel": "full:a"}}, id="presence_stats"),
        pytest.param("publish", {"publish": {"channel": "news", "data": 1}}, id="publish"),
    ],
)
async def test_other_commands_answer_100_when_the_engine_fails(
    make_rig: Callable[..., Rig], call: str, command: dict[str, Any]
) -> None:
    rig = make_rig({"client": {"insecure": True}})
    client = rig.connected()
    client.call(**SUBSCRIBE)
    rig.gate.fail(call, EngineUnavailable("x"))
    assert client.call(**command)["error"]["code"] == 100
    assert "error" not in client.call(**command)


@pytest.mark.parametrize("call", ["publish_join", "publish_leave", "remove"])
async def test_a_failing_join_leave_or_presence_removal_has_no_effect(rig: Rig, call: str) -> None:
    client = rig.connected()
    rig.gate.fail(call, EngineUnavailable("x"))
    assert "subscribe" in client.call(**SUBSCRIBE)
    assert "unsubscribe" in client.call(unsubscribe={"channel": "full:a"})
    assert client.code is None


async def test_a_second_subscribe_to_a_channel_in_flight_is_refused(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig({"client": {"concurrency": 2}})
    client = rig.connected()
    rig.gate.hold("history")
    first, second = client.send(SUBSCRIBE, SUBSCRIBE)
    assert client.error(second) == 105
    rig.gate.release("history")
    await rig.settle()
    assert "subscribe" in client.reply(first)
    assert client.call(**SUBSCRIBE)["error"]["code"] == 105


async def test_a_channel_in_flight_counts_towards_the_limit(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig({"client": {"concurrency": 4, "channel_limit": 1}})
    client = rig.connected()
    rig.gate.hold("history")
    first, second = client.send(SUBSCRIBE, {"subscribe": {"channel": "news"}})
    assert client.error(second) == 106
    rig.gate.fail("history", HistoryNotAvailable())
    rig.gate.release("history")
    await rig.settle()
    assert client.error(first) == 108
    assert "subscribe" in client.call(subscribe={"channel": "news"})


@pytest.mark.parametrize("step", STEPS)
async def test_an_unsubscribe_waits_for_the_subscribe_in_flight(make_rig: Callable[..., Rig], step: str) -> None:
    rig = make_rig({"client": {"concurrency": 2}})
    client = rig.connected()
    rig.gate.hold(step)
    subscribe, unsubscribe = client.send(SUBSCRIBE, {"unsubscribe": {"channel": "full:a"}})
    await rig.pass_time(4)
    assert client.answered == [1]
    rig.gate.release(step)
    await rig.settle()
    assert client.answered == [1, subscribe, unsubscribe]
    assert await rig.present("full:a") == set()
    assert rig.node.hub.subscription_count == 0
    await rig.publish("full:a")
    await rig.settle()
    assert client.data("full:a") == []


async def test_an_unsubscribe_after_a_failed_subscribe_succeeds(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig({"client": {"concurrency": 2}})
    client = rig.connected()
    rig.gate.hold("history")
    rig.gate.fail("history", HistoryNotAvailable())
    subscribe, unsubscribe = client.send(SUBSCRIBE, {"unsubscribe": {"channel": "full:a"}})
    rig.gate.release("history")
    await rig.settle()
    assert client.error(subscribe) == 108
    assert client.reply(unsubscribe) == {"id": unsubscribe, "unsubscribe": {}}


@pytest.mark.parametrize("by_server", [False, True], ids=["command", "API"])
async def test_an_unsubscribe_closes_after_a_subscribe_stuck_for_five_seconds(
    make_rig: Callable[..., Rig], by_server: bool
) -> None:
    rig = make_rig({"client": {"concurrency": 2}})
    client, other = rig.connected(), rig.connected()
    rig.gate.hold("history")
    client.send(SUBSCRIBE)
    call = None
    if by_server:
        call = rig.start(rig.node.unsubscribe(ConnectionFilter("ann"), "full:a", UNSUBSCRIBE_SERVER))
    else:
        client.send({"unsubscribe": {"channel": "full:a"}})
    await rig.settle()
    await rig.pass_time(4.9)
    assert client.code is None
    await rig.pass_time(0.2)
    assert client.code == 3004
    if call is not None:
        await call
        assert [push["unsubscribe"]["code"] for push in other.pushes] == [2000], "the others are served all the same"
    rig.gate.release("history")
    await rig.settle()
    assert client.answered == [1]
    assert await rig.present("full:a") == set()
    assert rig.node.hub.subscription_count == 0


async def test_an_unsubscribe_by_the_server_waits_for_the_subscribe_in_flight(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("history")
    (subscribe,) = client.send(SUBSCRIBE)
    call = rig.start(rig.node.unsubscribe(ConnectionFilter("ann"), "full:a", UNSUBSCRIBE_SERVER))
    await rig.settle()
    assert not call.done()
    rig.gate.release("history")
    await call
    await rig.settle()
    kinds = [next(iter({"id", "push"} & set(message))) for message in client.messages[1:]]
    assert client.messages[1]["id"] == subscribe
    assert kinds[0] == "id"
    assert [push["unsubscribe"]["code"] for push in client.pushes if "unsubscribe" in push] == [2000]
    assert rig.node.hub.subscription_count == 0
    assert await rig.present("full:a") == set()


async def test_a_late_attempt_cannot_touch_a_newer_one(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("history")
    rig.gate.fail("history", HistoryNotAvailable())
    (first,) = client.send(SUBSCRIBE)
    rig.gate.hold("remove")
    rig.gate.release("history")
    await rig.settle()
    assert rig.gate.waiting("remove") == 1, "the failed attempt is still clearing up"
    api = rig.start(client.session.subscribe_by_server("full:a", rig.options("full:a"), None))
    await rig.settle()
    rig.gate.release("remove")
    await rig.settle()
    await api
    assert client.error(first) == 108
    assert client.session.is_subscribed("full:a")
    await rig.publish("full:a", b"7")
    await rig.settle()
    assert client.data("full:a") == [7]


async def test_publications_of_a_channel_without_positions_follow_the_reply(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("subscribe")
    (number,) = client.send({"subscribe": {"channel": "news"}})
    await rig.publish("news", b"1")
    rig.gate.release("subscribe")
    await rig.settle()
    assert client.messages[1]["id"] == number
    assert client.data() == [1]


async def test_nothing_is_delivered_after_an_unsubscribe(rig: Rig) -> None:
    client = rig.connected()
    client.call(**SUBSCRIBE)
    await rig.publish("full:a", b"1")
    rig.gate.hold("remove")
    (number,) = client.send({"unsubscribe": {"channel": "full:a"}})
    await rig.publish("full:a", b"2")
    rig.gate.release("remove")
    await rig.settle()
    await rig.publish("full:a", b"3")
    await rig.settle()
    assert client.data("full:a") == [1]
    assert client.messages[-1] == {"id": number, "unsubscribe": {}}


async def test_subscribers_of_a_revoked_channel_may_subscribe_again(rig: Rig) -> None:
    live, subscribing, elsewhere = rig.connected(), rig.connected(), rig.connected()
    live.call(**SUBSCRIBE)
    elsewhere.call(subscribe={"channel": "news"})
    rig.gate.hold("add")
    subscribing.send(SUBSCRIBE)
    await rig.settle()
    rig.node.hub.on_subscription_revoked("full:a")
    rig.node.hub.on_subscription_revoked("nobody's")
    rig.gate.release("add")
    await rig.settle()
    assert live.messages[-1]["push"]["unsubscribe"]["code"] == 2500
    assert subscribing.code == 3010
    assert elsewhere.code is None
    assert rig.gate.channels("subscribe") == ["full:a", "news"]
    live.call(**SUBSCRIBE)
    assert rig.gate.channels("subscribe") == ["full:a", "news", "full:a"]
