"""A connect in flight: its server-side subscriptions wait, fail, or the connection ends (01 §6.1, §14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fanjet.engines.interfaces import EngineUnavailable, HistoryNotAvailable
from fanjet.node.connection_filter import ConnectionFilter
from fanjet.protocol.codes import DISCONNECT_FORCE, UNSUBSCRIBE_SERVER
from tests.support.tokens import token

if TYPE_CHECKING:
    from tests.client.client import Client
    from tests.client.harness import Rig

STEPS = ["subscribe", "subscribe answer", "add", "add answer", "history", "history answer"]
CHANNELS = ["full:a", "full:b", "news"]


def start_connecting(client: Client, *channels: str) -> int:
    return client.send({"connect": {"token": token("ann", channels=list(channels or CHANNELS))}})[0]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("lost", [False, True], ids=["closed", "lost"])
async def test_a_connection_that_ends_while_connecting_leaves_nothing_behind(rig: Rig, step: str, lost: bool) -> None:
    client = rig.open()
    rig.gate.hold(step)
    start_connecting(client)
    assert rig.gate.waiting(step) >= 2
    if lost:
        client.transport.lose()
    else:
        client.session.disconnect(DISCONNECT_FORCE)
    rig.gate.release(step)
    await rig.settle()
    assert client.messages == []
    rig.assert_nothing_left()
    await rig.pass_time(3)
    assert rig.broker.subscribed == set()
    assert rig.node.hub.channels == {}
    assert "publish_join" not in dict(rig.gate.calls)


async def test_all_subscriptions_are_made_concurrently_and_the_reply_is_first(rig: Rig) -> None:
    client = rig.open()
    rig.gate.hold("subscribe")
    number = start_connecting(client)
    assert rig.gate.waiting("subscribe") == 3
    await rig.publish("news", b"1")
    await rig.publish("full:a", b"2")
    rig.gate.release("subscribe")
    await rig.settle()
    assert client.messages[0]["id"] == number
    assert set(client.messages[0]["connect"]["subs"]) == set(CHANNELS)
    await rig.publish("full:a", b"3")
    await rig.settle()
    assert client.data("news") == [1]
    assert client.data("full:a") == [3], "the first lies before the position that the reply names"


@pytest.mark.parametrize(
    ("call", "failure", "code", "error"),
    [
        pytest.param("subscribe", EngineUnavailable("x"), 3004, None, id="broker-subscribe"),
        pytest.param("add", EngineUnavailable("x"), 3004, None, id="presence"),
        pytest.param("history", EngineUnavailable("x"), 3004, None, id="history"),
        pytest.param("history", HistoryNotAvailable(), None, 108, id="no-history"),
    ],
)
@pytest.mark.parametrize("waits", [False, True], ids=["at once", "later"])
async def test_one_failing_subscription_fails_the_connect(
    rig: Rig, call: str, failure: Exception, code: int | None, error: int | None, waits: bool
) -> None:
    client = rig.open()
    if waits:
        rig.gate.hold(call)
    rig.gate.fail(call, failure)
    number = start_connecting(client)
    rig.gate.release(call)
    await rig.settle()
    assert client.code == code
    if error is not None:
        assert client.error(number) == error
        assert client.transport.abandoned
        client.transport.lose()
    rig.assert_nothing_left()


async def test_the_server_can_end_a_connection_that_is_connecting(rig: Rig) -> None:
    client = rig.open()
    rig.gate.hold("history")
    start_connecting(client)
    await rig.node.disconnect(ConnectionFilter("ann"), DISCONNECT_FORCE)
    assert client.code == 3503
    rig.gate.release("history")
    await rig.settle()
    rig.assert_nothing_left()


async def test_the_server_can_unsubscribe_while_a_connection_connects(rig: Rig) -> None:
    client = rig.open()
    rig.gate.hold("history")
    number = start_connecting(client)
    call = rig.start(rig.node.unsubscribe(ConnectionFilter("ann"), "full:a", UNSUBSCRIBE_SERVER))
    await rig.settle()
    rig.gate.release("history")
    await call
    await rig.settle()
    assert client.messages[0]["id"] == number
    assert {"channel": "full:a", "unsubscribe": {"code": 2000, "reason": "server unsubscribe"}} in client.pushes
    assert set(client.session.subscriptions) == {"full:b", "news"}


async def test_a_second_connect_is_a_bad_request(rig: Rig) -> None:
    client = rig.connected()
    client.send({"connect": {"token": token("ann")}})
    assert client.code == 3501
    rig.assert_nothing_left()


async def test_a_timer_is_armed_after_connecting_only(rig: Rig) -> None:
    client = rig.open()
    rig.gate.hold("subscribe")
    start_connecting(client)
    await rig.pass_time(60)
    assert client.messages == []
    rig.gate.release("subscribe")
    await rig.settle()
    await rig.pass_time(12)
    assert client.pings == 0
    await rig.pass_time(14)
    assert client.pings == 1
