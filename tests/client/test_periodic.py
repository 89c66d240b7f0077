"""Periodic work of a connection: presence, positions, expired subscriptions (01 §5.6, §8.7, §14)."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import pytest

from fanjet.engines.interfaces import EngineUnavailable
from tests.client.harness import CONFIG
from tests.client.test_deadlines import answer_pings
from tests.support.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.client import Client
    from tests.client.harness import Rig

SUBSCRIBE = {"subscribe": {"channel": "full:a"}}
UNSUBSCRIBE = {"unsubscribe": {"channel": "full:a"}}


def subscribed(rig: Rig, user: str = "ann") -> Client:
    client = rig.connected(user)
    client.call(**SUBSCRIBE)
    return client


def unsubscribes(client: Client) -> list[int]:
    return [push["unsubscribe"]["code"] for push in client.pushes if "unsubscribe" in push]


async def until_the_tick_waits(rig: Rig, client: Client, call: str) -> None:
    """Let time pass until the tick has made a call, which is held."""
    rig.gate.hold(call)
    while not rig.gate.waiting(call):
        await answer_pings(rig, client, 1)


async def test_presence_entries_are_refreshed_every_interval(rig: Rig) -> None:
    client = subscribed(rig)
    await rig.presence.inner.remove("full:a", client.session.client_id, "ann")
    await answer_pings(rig, client, 28)
    assert await rig.present("full:a") == {client.session.client_id}
    refreshed = len(rig.gate.channels("add"))
    await answer_pings(rig, client, 27)
    assert len(rig.gate.channels("add")) == refreshed + 1


async def test_periodic_work_under_way_is_not_started_again(rig: Rig) -> None:
    client = subscribed(rig)
    await until_the_tick_waits(rig, client, "add")
    await answer_pings(rig, client, 60)
    assert rig.gate.waiting("add") == 1
    rig.gate.release("add")
    await answer_pings(rig, client, 28)
    assert len(rig.gate.channels("add")) >= 3


@pytest.mark.parametrize("held", ["add", "add answer"])
async def test_no_entry_remains_after_an_unsubscribe_that_meets_a_refresh(rig: Rig, held: str) -> None:
    client = subscribed(rig)
    await until_the_tick_waits(rig, client, held)
    client.call(**UNSUBSCRIBE)
    rig.gate.release(held)
    await rig.settle()
    assert await rig.present("full:a") == set()


@pytest.mark.parametrize("held", ["add", "add answer"])
async def test_no_entry_remains_after_a_close_that_meets_a_refresh(rig: Rig, held: str) -> None:
    client = subscribed(rig)
    await until_the_tick_waits(rig, client, held)
    client.transport.lose()
    rig.gate.release(held)
    await rig.settle()
    rig.assert_nothing_left()


@pytest.mark.parametrize("succeeds", [True, False])
async def test_a_subscribe_in_flight_decides_about_an_entry_refreshed_meanwhile(rig: Rig, succeeds: bool) -> None:
    client = subscribed(rig)
    await until_the_tick_waits(rig, client, "add answer")
    client.call(**UNSUBSCRIBE)
    rig.gate.hold("history")
    client.send(SUBSCRIBE)
    rig.gate.release("add answer")
    await rig.settle()
    if not succeeds:
        rig.gate.fail("history", EngineUnavailable("x"))
    rig.gate.release("history")
    await rig.settle()
    assert await rig.present("full:a") == ({client.session.client_id} if succeeds else set())


async def test_a_refresh_that_fails_does_not_keep_others_from_theirs(rig: Rig) -> None:
    client = subscribed(rig)
    client.call(subscribe={"channel": "full:b"})
    rig.gate.calls.clear()
    rig.gate.fail("add", EngineUnavailable("x"))
    await answer_pings(rig, client, 28)
    assert set(rig.gate.channels("add")) == {"full:a", "full:b"}
    assert client.code is None


async def test_the_position_check_unsubscribes_after_a_missed_publication(rig: Rig) -> None:
    client, other = subscribed(rig), subscribed(rig, "bob")
    rig.broker.events.late = True
    await rig.publish("full:a")
    rig.broker.events.lose()
    rig.broker.events.late = False
    for _ in range(70):
        await answer_pings(rig, client, 1)
        if other.pings and other.session.ping_outstanding:
            other.pong()
    assert unsubscribes(client) == [2500]
    assert unsubscribes(other) == [2500]
    assert await rig.present("full:a") == set()
    assert rig.node.hub.subscription_count == 0


async def test_a_server_side_subscription_that_missed_something_ends_with_its_connection(rig: Rig) -> None:
    client = rig.connected(channels=["full:a"])
    rig.broker.events.late = True
    await rig.publish("full:a")
    rig.broker.events.lose()
    await answer_pings(rig, client, 70)
    assert client.code == 3010


async def test_positions_are_checked_once_per_channel_and_delay(rig: Rig) -> None:
    clients = [subscribed(rig, user) for user in ("ann", "bob", "cid", "dan")]
    rig.gate.calls.clear()
    for _ in range(90):
        await rig.pass_time(1)
        for client in clients:
            if client.session.ping_outstanding:
                client.pong()
    assert 1 <= len(rig.gate.channels("history")) <= 2
    assert not any(unsubscribes(client) for client in clients)


async def test_a_failed_check_is_repeated_by_the_next_periodic_work(rig: Rig) -> None:  # 07 §11
    client = subscribed(rig)
    await answer_pings(rig, client, 39)  # the first tick comes before a check is due
    rig.gate.calls.clear()
    rig.gate.fail("history", EngineUnavailable("x"))
    while not rig.gate.channels("history"):
        await answer_pings(rig, client, 1)
    await answer_pings(rig, client, 28)
    assert len(rig.gate.channels("history")) == 2
    assert not unsubscribes(client)


async def test_a_failed_check_after_an_outage_is_repeated_by_the_next_periodic_work(rig: Rig) -> None:
    client = subscribed(rig)
    rig.gate.fail("history", EngineUnavailable("LOADING"))
    rig.gate.calls.clear()
    rig.node.hub.on_restored()
    await rig.settle()
    assert len(rig.gate.channels("history")) == 1
    await answer_pings(rig, client, 28)
    assert len(rig.gate.channels("history")) == 2


async def test_a_publication_counts_as_a_check(rig: Rig) -> None:
    client = subscribed(rig)
    rig.gate.calls.clear()
    for _ in range(12):
        await answer_pings(rig, client, 10)
        await rig.publish("full:a")
        rig.node.hub.channels["full:a"].checked_at = rig.clock.now
    assert rig.gate.channels("history") == []


async def test_a_failed_check_is_repeated_and_ends_no_subscription(rig: Rig) -> None:
    client = subscribed(rig)
    rig.gate.fail("history", EngineUnavailable("x"))
    rig.gate.calls.clear()
    await answer_pings(rig, client, 160)
    assert len(rig.gate.channels("history")) >= 2
    assert unsubscribes(client) == []


async def test_a_publication_during_a_check_does_not_fail_it(rig: Rig) -> None:
    client = subscribed(rig)
    await until_the_tick_waits(rig, client, "history answer")
    await rig.publish("full:a", b"1")
    rig.gate.release("history answer")
    await rig.settle()
    assert unsubscribes(client) == []
    assert client.data("full:a") == [1]


async def test_an_ungrouped_subscriber_is_checked_too(rig: Rig) -> None:
    behind = subscribed(rig, "bob")
    rig.broker.events.late = True
    await rig.publish("full:a")
    client = subscribed(rig)
    await rig.publish("full:a")
    rig.broker.events.lose(2)
    for _ in range(70):
        await answer_pings(rig, client, 1)
        if behind.session.ping_outstanding:
            behind.pong()
    assert unsubscribes(client) == [2500]
    assert unsubscribes(behind) == [2500]


async def test_a_negative_delay_switches_the_check_off(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig({"client": {"channel_position_check_delay": -1}})
    client = subscribed(rig)
    rig.gate.calls.clear()
    await answer_pings(rig, client, 120)
    assert rig.gate.channels("history") == []


async def test_a_reliable_broker_is_not_checked(rig: Rig) -> None:
    rig.broker.delivers_reliably = True
    client = subscribed(rig)
    rig.gate.calls.clear()
    await answer_pings(rig, client, 120)
    assert rig.gate.channels("history") == []


async def test_many_losses_of_one_subscription_end_it_once(rig: Rig) -> None:
    client = subscribed(rig)
    rig.gate.hold("remove")
    rig.broker.events.late = True
    for _ in range(5):
        await rig.publish("full:a")
    rig.broker.events.lose()
    rig.broker.events.deliver()
    await rig.settle()
    rig.gate.release("remove")
    await rig.settle()
    assert unsubscribes(client) == [2500]
    assert client.data("full:a") == []
    assert client.pushes[-1]["unsubscribe"]["code"] == 2500
    assert "subscribe" in client.call(**SUBSCRIBE)


async def test_an_expired_subscription_ends_after_its_grace(rig: Rig) -> None:
    client = rig.connected()
    expiring = token("ann", channel="full:a", exp=int(rig.clock.unix()) + 10)
    reply = client.call(subscribe={"channel": "full:a", "token": expiring})
    assert reply["subscribe"]["ttl"] == 10
    await answer_pings(rig, client, 35)
    assert unsubscribes(client) == []
    await answer_pings(rig, client, 29)
    assert unsubscribes(client) == [2501]
    assert client.code is None
    assert await rig.present("full:a") == set()


async def test_the_grace_period_includes_its_last_second(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig({"client": {"expired_sub_close_delay": 3, "presence_update_interval": 0.2}})
    client = rig.connected()
    expires = int(rig.clock.unix()) + 2
    client.call(subscribe={"channel": "full:a", "token": token("ann", channel="full:a", exp=expires)})
    while rig.clock.unix() < expires + 3.7:
        await rig.pass_time(0.2)
    assert unsubscribes(client) == []
    await rig.pass_time(0.2)
    await rig.pass_time(0.2)
    await rig.pass_time(0.2)
    assert unsubscribes(client) == [2501]


async def test_a_refreshed_subscription_lives_on(rig: Rig) -> None:
    client = rig.connected()
    expiring = token("ann", channel="full:a", exp=int(rig.clock.unix()) + 10)
    client.call(subscribe={"channel": "full:a", "token": expiring})
    await answer_pings(rig, client, 30)
    refreshed = token("ann", channel="full:a")
    assert client.call(sub_refresh={"channel": "full:a", "token": refreshed})["sub_refresh"] == {}
    await answer_pings(rig, client, 100)
    assert unsubscribes(client) == []


async def test_a_subscription_that_gets_an_expiry_later_ends_with_it(rig: Rig) -> None:
    client = rig.connected()
    client.call(subscribe={"channel": "news"})
    await answer_pings(rig, client, 60)
    expiring = token("ann", channel="news", exp=int(rig.clock.unix()) + 10)
    assert client.call(sub_refresh={"channel": "news", "token": expiring})["sub_refresh"]["ttl"] == 10
    await answer_pings(rig, client, 64)
    assert unsubscribes(client) == [2501]


async def test_connections_that_have_nothing_to_do_then_are_not_woken(rig: Rig) -> None:
    client = rig.connected()
    client.call(subscribe={"channel": "news"})
    assert client.session.deadlines.periodic == inf
    client.call(**SUBSCRIBE)
    assert client.session.deadlines.periodic < inf
    client.call(**UNSUBSCRIBE)
    await answer_pings(rig, client, 28)
    assert client.session.deadlines.periodic == inf


async def test_an_expired_server_side_subscription_closes_its_connection(rig: Rig) -> None:
    client = rig.connected(subs={"full:a": {}})
    await client.session.subscribe_by_server(
        "full:b", rig.options("full:b", expire_at=int(rig.clock.unix()) + 10), None
    )
    await answer_pings(rig, client, 64)
    assert client.code == 3006
    await rig.settle()
    rig.assert_nothing_left()


@pytest.mark.parametrize("call", ["add", "history"])
async def test_all_channels_are_worked_through_at_once(rig: Rig, call: str) -> None:
    client = rig.connected()
    for channel in ("full:a", "full:b", "full:c"):
        client.call(subscribe={"channel": channel})
    await until_the_tick_waits(rig, client, call)
    assert rig.gate.waiting(call) == 3
    rig.gate.release(call)
    await rig.settle()


async def test_a_namespace_may_confirm_a_mismatch_by_a_second_read(make_rig: Callable[..., Rig]) -> None:
    full = {**CONFIG["channel"]["namespaces"][0], "shared_position_sync": True}
    rig = make_rig({"channel": {"namespaces": [full]}})
    client = subscribed(rig)
    rig.broker.events.late = True
    await rig.publish("full:a")
    rig.gate.calls.clear()
    await until_the_tick_waits(rig, client, "history answer")
    rig.gate.hold("history")
    rig.gate.release("history answer")
    await rig.settle()
    assert rig.gate.channels("history") == ["full:a", "full:a"]
    rig.broker.events.deliver()  # what the first look found was on its way
    rig.gate.release("history")
    await rig.settle()
    assert unsubscribes(client) == []
