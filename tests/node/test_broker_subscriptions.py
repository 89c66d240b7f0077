"""The node is subscribed to exactly the channels with local subscribers (07 §19)."""

from __future__ import annotations

import asyncio

import pytest

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.node.broker_subscriptions import MAX_PENDING_UNSUBSCRIBES
from tests.client.harness import Rig

SUBSCRIBE = {"subscribe": {"channel": "news"}}
UNSUBSCRIBE = {"unsubscribe": {"channel": "news"}}


@pytest.fixture(params=["coroutines", "futures"])
async def rig(request: pytest.FixtureRequest) -> Rig:
    rig = Rig()
    rig.broker.answers_by_futures = request.param == "futures"
    return rig


@pytest.fixture
async def answers(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> list[asyncio.Future[None]]:
    """What the broker has yet to answer, once for all that it is asked in one turn of the loop."""
    given: list[asyncio.Future[None]] = []
    loop = asyncio.get_running_loop()
    turns: list[object] = []

    def pending(_channel: str) -> asyncio.Future[None]:
        if not turns:
            turns.append(loop.call_soon(turns.clear))
            given.append(loop.create_future())
        return given[-1]

    monkeypatch.setattr(rig.broker, "subscribe", pending)
    monkeypatch.setattr(rig.broker, "unsubscribe", pending)
    return given


async def test_the_first_subscriber_subscribes_the_node_and_others_do_not(rig: Rig) -> None:
    for user in ("ann", "bob"):
        rig.connected(user).call(**SUBSCRIBE)
    assert rig.gate.channels("subscribe") == ["news"]
    assert rig.broker.subscribed == {"news"}


async def test_concurrent_subscribers_wait_for_one_call(rig: Rig) -> None:
    rig.gate.hold("subscribe")
    clients = [rig.connected(user) for user in ("ann", "bob", "cid")]
    for client in clients:
        client.send(SUBSCRIBE)
    await rig.settle()
    assert rig.gate.channels("subscribe") == ["news"]
    assert all(client.answered == [1] for client in clients)
    rig.gate.release("subscribe")
    await rig.settle()
    assert all(client.answered == [1, 2] for client in clients)


async def test_after_a_failed_call_waiting_subscribers_retry(rig: Rig) -> None:
    rig.gate.hold("subscribe")
    rig.gate.fail("subscribe", EngineUnavailable("x"))
    first, second = rig.connected("ann"), rig.connected("bob")
    first.send(SUBSCRIBE)
    second.send(SUBSCRIBE)
    rig.gate.release("subscribe")
    await rig.settle()
    assert first.code == 3004
    assert "subscribe" in second.reply(2)
    assert rig.broker.subscribed == {"news"}


async def test_the_node_unsubscribes_a_second_after_the_last_subscriber(rig: Rig) -> None:
    client = rig.connected()
    client.call(**SUBSCRIBE)
    client.call(**UNSUBSCRIBE)
    await rig.pass_time(0.9)
    assert rig.broker.subscribed == {"news"}
    await rig.pass_time(0.2)
    assert rig.broker.subscribed == set()
    assert rig.node.hub.channels == {}


async def test_a_subscriber_within_that_second_needs_no_broker_call(rig: Rig) -> None:
    client = rig.connected()
    for _ in range(3):
        client.call(**SUBSCRIBE)
        await rig.pass_time(0.5)
        client.call(**UNSUBSCRIBE)
        await rig.pass_time(0.5)
    client.call(**SUBSCRIBE)
    await rig.pass_time(5)
    assert rig.gate.channels("subscribe") == ["news"]
    assert rig.gate.channels("unsubscribe") == []
    assert rig.broker.subscribed == {"news"}


@pytest.mark.parametrize("held", ["unsubscribe", "unsubscribe answer"])
async def test_a_subscriber_during_an_unsubscribe_waits_and_subscribes_again(rig: Rig, held: str) -> None:
    client = rig.connected()
    client.call(**SUBSCRIBE)
    client.call(**UNSUBSCRIBE)
    rig.gate.hold(held)
    await rig.pass_time(1.1)
    assert rig.gate.waiting(held) == 1
    (number,) = client.send(SUBSCRIBE)
    await rig.settle()
    assert number not in client.answered
    rig.gate.release(held)
    await rig.settle()
    assert "subscribe" in client.reply(number)
    assert rig.broker.subscribed == {"news"}
    await rig.publish("news")
    await rig.settle()
    assert client.data() == [1]


async def test_a_failed_unsubscribe_is_retried(rig: Rig) -> None:
    client = rig.connected()
    client.call(**SUBSCRIBE)
    client.call(**UNSUBSCRIBE)
    rig.gate.fail("unsubscribe", EngineUnavailable("x"))
    await rig.pass_time(1.1)
    assert rig.broker.subscribed == {"news"}
    await rig.pass_time(2)
    assert rig.broker.subscribed == set()
    assert rig.node.hub.channels == {}


async def test_a_subscriber_after_a_failed_unsubscribe_subscribes_again(rig: Rig) -> None:
    client = rig.connected()
    client.call(**SUBSCRIBE)
    client.call(**UNSUBSCRIBE)
    rig.gate.fail("unsubscribe", EngineUnavailable("x"))
    await rig.pass_time(1.1)
    client.call(**SUBSCRIBE)
    await rig.pass_time(5)
    assert rig.gate.channels("subscribe") == ["news", "news"]
    assert rig.broker.subscribed == {"news"}


async def test_a_failed_subscribe_leaves_no_channel_behind(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.fail("subscribe", EngineUnavailable("x"))
    client.send(SUBSCRIBE)
    await rig.settle()
    assert client.code == 3004
    await rig.pass_time(3)
    assert rig.node.hub.channels == {}


async def test_thousands_of_channels_leave_nothing_behind(rig: Rig) -> None:
    client = rig.connected()
    for number in range(2000):
        for command in ("subscribe", "unsubscribe"):
            client.send({command: {"channel": f"c{number}"}})
            await rig.settle()
    assert client.answered[-1] == 4001
    await rig.pass_time(3)
    assert rig.node.hub.channels == {}
    assert rig.broker.subscribed == set()


async def test_unsubscribes_of_many_channels_continue_as_calls_complete(rig: Rig) -> None:
    client = rig.connected()
    for number in range(3 * MAX_PENDING_UNSUBSCRIBES):
        for command in ("subscribe", "unsubscribe"):
            client.send({command: {"channel": f"c{number}"}})
            await rig.settle()
    rig.gate.hold("unsubscribe")
    await rig.pass_time(1.1)
    assert rig.gate.waiting("unsubscribe") == MAX_PENDING_UNSUBSCRIBES
    client.send({"subscribe": {"channel": "another"}}, {"unsubscribe": {"channel": "another"}})
    rig.gate.release("unsubscribe")
    for _ in range(10):
        await rig.settle()
    assert rig.broker.subscribed == {"another"}


async def test_a_hanging_unsubscribe_delays_no_other(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("unsubscribe")
    for channel in ("one", "two", "three"):
        client.call(subscribe={"channel": channel})
        client.call(unsubscribe={"channel": channel})
    await rig.pass_time(1.1)
    assert rig.gate.waiting("unsubscribe") == 3
    rig.gate.release("unsubscribe")
    await rig.settle()
    assert rig.broker.subscribed == set()


async def test_a_resubscribe_does_not_wait_for_other_unsubscribes(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("unsubscribe")
    for channel in ("one", "two", "three"):
        client.call(subscribe={"channel": channel})
        client.call(unsubscribe={"channel": channel})
    await rig.pass_time(1.1)
    rig.gate.release_one("unsubscribe")
    (number,) = client.send({"subscribe": {"channel": "one"}})
    await rig.settle()
    assert "subscribe" in client.reply(number)
    assert rig.broker.subscribed == {"one", "two", "three"}


async def test_a_late_answer_does_not_affect_a_newer_channel(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("unsubscribe")
    for channel in ("one", "late"):
        client.call(subscribe={"channel": channel})
        client.call(unsubscribe={"channel": channel})
    await rig.pass_time(1.1)
    rig.gate.release_one("unsubscribe", "one")
    for command in ("subscribe", "unsubscribe"):
        client.send({command: {"channel": "one"}})
        await rig.settle()
    await rig.pass_time(1.1)
    rig.gate.release_one("unsubscribe", "one")
    await rig.settle()
    assert "one" not in rig.node.hub.channels
    rig.gate.hold("subscribe")
    first, second = client.send({"subscribe": {"channel": "zero"}}, {"subscribe": {"channel": "one"}})
    await rig.settle()
    rig.gate.release("unsubscribe")
    rig.gate.release_one("subscribe", "one")
    await rig.settle()
    rig.gate.release("subscribe")
    await rig.settle()
    assert "subscribe" in client.reply(first)
    assert "subscribe" in client.reply(second)
    assert rig.broker.subscribed == {"zero", "one"}


async def test_shutting_down_unsubscribes_nothing(rig: Rig) -> None:
    client = rig.connected()
    client.call(**SUBSCRIBE)
    await rig.node.shut_down()
    await rig.pass_time(3)
    assert rig.gate.channels("unsubscribe") == []


async def test_one_answer_settles_all_calls_made_together(rig: Rig, answers: list[asyncio.Future[None]]) -> None:
    clients = [rig.connected(user) for user in ("ann", "bob", "cid")]
    for client in clients:
        client.send(
            {"subscribe": {"channel": client.session.user}}, {"subscribe": {"channel": f"{client.session.user}-too"}}
        )
    await rig.settle()
    assert all(client.answered == [1] for client in clients)
    (pending,) = answers
    pending.set_result(None)
    await rig.settle()
    assert all(client.answered == [1, 2, 3] for client in clients)
    for client in clients:
        client.call(unsubscribe={"channel": client.session.user})
    await rig.pass_time(1.1)
    answers[1].set_result(None)
    await rig.settle()
    assert sorted(rig.node.hub.channels) == ["ann-too", "bob-too", "cid-too"]


async def test_a_shared_error_fails_all_waiting_subscribers(rig: Rig, answers: list[asyncio.Future[None]]) -> None:
    first, second = rig.connected("ann"), rig.connected("bob")
    for client in (first, second):
        client.send({"subscribe": {"channel": client.session.user}})
    late = rig.connected("cid")
    late.send({"subscribe": {"channel": "ann"}})
    await rig.settle()
    answers[0].set_exception(EngineUnavailable("x"))
    await rig.settle()
    assert (first.code, second.code, late.code) == (3004, 3004, None)
    answers[1].set_result(None)
    await rig.settle()
    assert "subscribe" in late.reply(2)
    await rig.pass_time(1.1)
    answers[2].set_result(None)
    await rig.settle()
    assert list(rig.node.hub.channels) == ["ann"]


async def test_a_subscriber_gone_before_the_answer_leaves_nothing(
    rig: Rig, answers: list[asyncio.Future[None]]
) -> None:
    first, second = rig.connected("ann"), rig.connected("bob")
    for client in (first, second):
        client.send({"subscribe": {"channel": client.session.user}})
    first.transport.lose()
    await rig.settle()
    answers[0].set_result(None)
    await rig.settle()
    assert first.answered == [1]
    assert second.answered == [1, 2]
    assert [channel.name for channel in rig.node.hub.active_channels()] == ["bob"]
    await rig.pass_time(1.1)
    answers[1].set_result(None)
    await rig.settle()
    assert list(rig.node.hub.channels) == ["bob"]


async def test_a_channel_misrouted_during_a_call_is_subscribed_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.gate.hold("subscribe")
    client = rig.connected()
    client.send(SUBSCRIBE)
    await rig.settle()
    monkeypatch.setattr(rig.broker, "is_misrouted", lambda channel: channel == "news", raising=False)
    rig.node.change_namespaces(rig.node.namespaces)
    rig.gate.release("subscribe")
    await rig.settle()
    assert client.messages[-1]["push"]["unsubscribe"]["code"] == 2500
    monkeypatch.setattr(rig.broker, "is_misrouted", lambda _channel: False)
    rig.connected().call(**SUBSCRIBE)
    assert rig.gate.channels("subscribe") == ["news", "news"]


async def test_a_subscriber_waiting_for_an_unsubscribe_is_not_disturbed_by_misrouting(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = rig.connected()
    client.call(**SUBSCRIBE)
    rig.gate.hold("unsubscribe")
    client.call(**UNSUBSCRIBE)
    await rig.pass_time(2)
    client.send(SUBSCRIBE)
    await rig.settle()
    subscribed_there = [True]
    monkeypatch.setattr(rig.broker, "is_misrouted", lambda _channel: subscribed_there[0], raising=False)
    rig.node.change_namespaces(rig.node.namespaces)
    subscribed_there[0] = False
    rig.gate.release("unsubscribe")
    await rig.settle()
    assert client.code is None
    assert rig.gate.channels("subscribe") == ["news", "news"]
