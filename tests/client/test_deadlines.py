"""Stale connections, pings and pongs, expiry (01 §5.3-5.5), with a clock moved by the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.client import Client
    from tests.client.harness import Rig

PING = {"rpc": {"method": "ping"}}


async def first_ping(rig: Rig, client: Client) -> float:
    """Seconds until the first ping."""
    began = rig.clock.now
    while not client.pings:
        await rig.pass_time(0.1)
    return rig.clock.now - began


async def test_a_silent_connection_is_stale_after_ten_seconds(rig: Rig) -> None:
    client = rig.open()
    await rig.pass_time(9.9)
    assert client.code is None
    await rig.pass_time(0.2)
    assert client.code == 3502
    rig.assert_nothing_left()


async def test_a_connect_that_only_waits_for_its_subscriptions_is_not_stale(rig: Rig) -> None:
    client = rig.open()
    rig.gate.hold("subscribe")
    client.send({"connect": {"token": token("ann", channels=["news"])}})
    await rig.pass_time(11)
    assert client.code is None
    rig.gate.release("subscribe")
    await rig.settle()
    assert "connect" in client.reply(1)


async def test_each_silent_connection_has_its_own_time(rig: Rig) -> None:
    clients = []
    for _ in range(5):
        clients.append(rig.open())
        await rig.pass_time(2)
    clients[2].connect()
    await rig.pass_time(0.2)
    assert [client.code for client in clients] == [3502, None, None, None, None]
    await rig.pass_time(8)
    assert [client.code for client in clients] == [3502, 3502, None, 3502, 3502]


async def test_a_refused_connection_that_does_not_close_is_stale(rig: Rig) -> None:
    client = rig.open()
    client.send({"connect": {"token": token("ann", exp=int(rig.clock.unix()) - 1)}})
    assert client.error(1) == 109
    await rig.pass_time(10.1)
    assert client.code == 3502


async def test_a_negative_delay_lets_silent_connections_live(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig({"client": {"stale_close_delay": -1}})
    client = rig.open()
    await rig.pass_time(100)
    assert client.code is None


async def test_connecting_ends_staleness(rig: Rig) -> None:
    client = rig.open()
    await rig.pass_time(9)
    client.connect()
    await rig.pass_time(3)
    assert client.code is None


async def test_the_first_ping_comes_in_the_second_half_of_the_interval(rig: Rig) -> None:
    times = []
    for _ in range(20):
        client = rig.connected()
        times.append(await first_ping(rig, client))
        client.transport.lose()
    assert min(times) >= 12.4
    assert max(times) <= 25.3
    assert len({round(one) for one in times}) > 3


async def test_pings_follow_in_the_interval_and_each_wants_a_pong(rig: Rig) -> None:
    client = rig.connected()
    await first_ping(rig, client)
    for number in range(1, 6):
        assert client.pings == number
        client.pong()
        await rig.pass_time(24)
        assert client.pings == number
        await rig.pass_time(1.1)
    assert client.code is None


@pytest.mark.parametrize("seconds", [20, 24.9, 25.2, 60, 1000])
async def test_after_a_sleep_the_next_ping_waits_for_the_pong(rig: Rig, seconds: float) -> None:
    client = rig.connected()
    await first_ping(rig, client)
    client.pong()
    rig.clock.now += 24 + seconds  # a process that is stopped, a machine that is suspended
    await rig.pass_time(0.1)
    assert client.pings == 2
    await rig.pass_time(7.8)
    assert client.pings == 2
    client.pong()
    await rig.pass_time(17.5)
    assert client.pings == 3
    assert client.code is None


async def test_other_commands_are_no_pong(rig: Rig) -> None:
    client = rig.connected()
    await first_ping(rig, client)
    await rig.pass_time(7)
    client.call(**PING)
    assert client.code is None
    await rig.pass_time(1.2)
    assert client.code == 3012
    rig.assert_nothing_left()


@pytest.mark.parametrize("pongs", [1, 2])
async def test_a_second_pong_for_one_ping_is_a_bad_request(rig: Rig, pongs: int) -> None:
    client = rig.connected()
    await first_ping(rig, client)
    for _ in range(pongs):
        client.pong()
    assert client.code == (None if pongs == 1 else 3501)


async def test_a_pong_without_a_ping_is_a_bad_request(rig: Rig) -> None:
    client = rig.connected()
    client.pong()
    assert client.code == 3501


async def test_without_a_pong_timeout_pongs_are_taken_but_not_missed(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig({"client": {"pong_timeout": -1}})
    client = rig.open()
    assert "pong" not in client.connect()["connect"]
    await first_ping(rig, client)
    client.pong()
    assert client.code is None
    await rig.pass_time(100)
    assert client.code is None
    assert client.pings > 3


async def test_without_pings_there_are_none(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig({"client": {"ping_interval": -1}})
    client = rig.open()
    result = client.connect()["connect"]
    assert "ping" not in result
    assert result["pong"] is True
    await rig.pass_time(100)
    assert client.pings == 0
    assert client.code is None


async def test_an_expired_connection_is_closed_after_its_grace(rig: Rig) -> None:
    client = rig.open()
    reply = client.connect(exp=int(rig.clock.unix()) + 10)
    assert reply["connect"]["ttl"] == 10
    await answer_pings(rig, client, 34)
    assert client.code is None
    await answer_pings(rig, client, 2)
    assert client.code == 3005


async def test_a_refresh_moves_the_expiry(rig: Rig) -> None:
    client = rig.connected(exp=int(rig.clock.unix()) + 10)
    await answer_pings(rig, client, 20)
    reply = client.call(refresh={"token": token("ann", exp=int(rig.clock.unix()) + 30)})
    assert reply["refresh"]["ttl"] == 30
    await answer_pings(rig, client, 50)
    assert client.code is None
    await answer_pings(rig, client, 6)
    assert client.code == 3005


async def test_a_refresh_to_no_expiry_makes_the_connection_permanent(rig: Rig) -> None:
    client = rig.connected(exp=int(rig.clock.unix()) + 10)
    assert client.call(refresh={"token": token("ann")})["refresh"] == {}
    await answer_pings(rig, client, 100)
    assert client.code is None


async def test_a_refresh_by_the_server_is_pushed(rig: Rig) -> None:
    client = rig.connected(exp=int(rig.clock.unix()) + 10)
    client.session.refresh_by_server(expired=False, expire_at=int(rig.clock.unix()) + 60, info=b"")
    client.session.flush()
    assert client.pushes == [{"refresh": {"expires": True, "ttl": 60}}]
    await answer_pings(rig, client, 80)
    assert client.code is None
    await answer_pings(rig, client, 6)
    assert client.code == 3005


@pytest.mark.parametrize(
    ("expired", "ahead"),
    [pytest.param(True, 0, id="expired"), pytest.param(False, -1, id="past"), pytest.param(False, 0, id="now")],
)
async def test_a_refresh_by_the_server_may_end_the_connection(rig: Rig, expired: bool, ahead: int) -> None:
    client = rig.connected()
    client.session.refresh_by_server(expired=expired, expire_at=int(rig.clock.unix()) + ahead, info=b"")
    assert client.code == 3005


async def test_a_refresh_by_the_server_during_connect_counts(rig: Rig) -> None:
    client = rig.open()
    rig.gate.hold("subscribe")
    client.send({"connect": {"token": token("ann", channels=["news"])}})
    client.session.refresh_by_server(expired=False, expire_at=int(rig.clock.unix()) + 10, info=b"")
    rig.gate.release("subscribe")
    await rig.settle()
    assert client.reply(1)["connect"]["ttl"] == 10
    await answer_pings(rig, client, 36)
    assert client.code == 3005


async def answer_pings(rig: Rig, client: Client, seconds: int) -> None:
    """Let time pass, and have the client answer what it is asked."""
    for _ in range(seconds):
        answered = client.pings
        await rig.pass_time(1)
        if client.pings > answered and client.code is None:
            client.pong()
