"""Order, concurrency and slices of a connection's commands (01 §4.4)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from fanjet.client.command_queue import COMMANDS_PER_SLICE
from fanjet.protocol.codes import DISCONNECT_FORCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.harness import Rig

PUBLISH = {"publish": {"channel": "news", "data": 1}}
PING = {"rpc": {"method": "ping"}}


def limited(make_rig: Callable[..., Rig], concurrency: int) -> Rig:
    return make_rig({"client": {"concurrency": concurrency, "insecure": True}})


@pytest.mark.parametrize("concurrency", [0, 1])
async def test_while_a_command_waits_nothing_after_it_is_started(
    make_rig: Callable[..., Rig], concurrency: int
) -> None:
    rig = limited(make_rig, concurrency)
    client = rig.connected()
    rig.gate.hold("publish")
    ids = client.send(PUBLISH, PING, PUBLISH)
    assert not client.transport.paused
    late = [*client.send(PING), *client.send(PING)]
    await rig.settle()
    assert client.answered == [1]
    assert client.transport.paused
    assert client.transport.unread == 1

    rig.gate.release("publish")
    await rig.settle()
    assert client.answered == [1, *ids, *late]
    assert not client.transport.paused


async def test_two_commands_run_at_once_and_the_third_waits(make_rig: Callable[..., Rig]) -> None:
    rig = limited(make_rig, 2)
    client = rig.connected()
    rig.gate.hold("publish", "history")
    publish, history, ping = client.send(PUBLISH, {"history": {"channel": "full:a"}}, PING)
    (late,) = client.send(PING)
    await rig.settle()
    assert client.answered == [1]
    assert client.transport.paused

    rig.gate.release("history")
    await rig.settle()
    assert client.answered == [1, history, ping, late]
    assert not client.transport.paused

    rig.gate.release("publish")
    await rig.settle()
    assert client.answered == [1, history, ping, late, publish]


async def test_below_the_limit_commands_pass_one_that_waits(make_rig: Callable[..., Rig]) -> None:
    rig = limited(make_rig, 2)
    client = rig.connected()
    rig.gate.hold("publish")
    (publish,) = client.send(PUBLISH)
    pings = [*client.send(PING, PING), *client.send(PING)]
    assert client.answered == [1, *pings]
    assert not client.transport.paused
    rig.gate.release("publish")
    await rig.settle()
    assert client.answered == [1, *pings, publish]


async def test_unsubscribe_is_exclusive_at_any_concurrency(make_rig: Callable[..., Rig]) -> None:
    rig = limited(make_rig, 8)
    client = rig.connected()
    client.call(subscribe={"channel": "full:a"})
    rig.gate.hold("remove")
    ids = client.send({"unsubscribe": {"channel": "full:a"}}, PING)
    await rig.settle()
    assert client.answered == [1, 2]
    rig.gate.release("remove")
    await rig.settle()
    assert client.answered == [1, 2, *ids]


async def test_connect_is_exclusive_at_any_concurrency(make_rig: Callable[..., Rig]) -> None:
    rig = limited(make_rig, 8)
    client = rig.open()
    rig.gate.hold("subscribe")
    client.transport.receive(b'{"id":1,"connect":{"subs":{"news":{}}}}\n{"id":2,"rpc":{"method":"ping"}}')
    await rig.settle()
    assert client.answered == []
    rig.gate.release("subscribe")
    await rig.settle()
    assert client.answered == [1, 2]


async def test_frames_read_before_a_pause_keep_their_order(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("publish")
    expected = client.send(PUBLISH)
    for _ in range(50):
        expected += client.send(PING, PUBLISH)
    rig.gate.release("publish")
    await rig.settle()
    assert client.answered == [1, *expected]
    assert client.transport.unread == 0


async def test_a_malformed_command_behind_a_waiting_one_closes_after_its_reply(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("publish")
    client.transport.receive(json.dumps({"id": 2, **PUBLISH}).encode() + b'\n{"id":')
    await rig.settle()
    assert client.code is None
    rig.gate.release("publish")
    await rig.settle()
    assert client.answered == [1, 2]
    assert client.code == 3501


async def test_a_disconnect_drops_the_rest_of_the_frame_but_sends_earlier_replies(rig: Rig) -> None:
    client = rig.connected()
    ids = client.send(PING, {"send": {"data": 1}}, PUBLISH)
    assert client.answered == [1, ids[0]]
    assert client.code == 3508
    assert rig.gate.channels("publish") == []


async def test_an_unexpected_error_answers_100_and_keeps_the_connection(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.fail("publish", RuntimeError("as the test wants it"))
    reply = client.call(**PUBLISH)
    assert reply["error"] == {"code": 100, "message": "internal server error", "temporary": True}
    assert "result" not in client.call(**PING)
    assert client.code is None


async def test_a_late_failure_answers_100_too(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("publish")
    rig.gate.fail("publish", RuntimeError("as the test wants it"))
    (publish,) = client.send(PUBLISH)
    rig.gate.release("publish")
    await rig.settle()
    assert client.error(publish) == 100
    assert client.code is None


async def test_a_pong_behind_a_waiting_command_is_taken_in_its_turn(rig: Rig) -> None:
    client = rig.connected()
    while not client.pings:
        await rig.pass_time(1)
    rig.gate.hold("publish")
    client.send(PUBLISH)
    client.pong()
    rig.gate.release("publish")
    await rig.settle()
    assert client.code is None
    await rig.pass_time(9)
    assert client.code is None


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(lambda lines: [b"\n".join(lines)], id="in one frame"),
        pytest.param(lambda lines: lines, id="in as many frames"),
    ],
)
async def test_thousands_of_commands_let_others_have_their_turn(rig: Rig, frames) -> None:
    client, other = rig.connected(), rig.connected("bob")
    lines = [json.dumps({"id": number, **PING}).encode() for number in range(2, 3002)]
    turns = 0
    finished = asyncio.Event()

    def look() -> None:
        nonlocal turns
        if len(client.answered) == len(lines) + 1:
            finished.set()
        else:
            turns += 1
            asyncio.get_running_loop().call_soon(look)

    for frame in frames(lines):
        client.transport.receive(frame)
    assert len(client.answered) <= COMMANDS_PER_SLICE + 1
    other.send(PING)
    await asyncio.sleep(0)
    assert other.answered == [1, 2]
    look()
    await finished.wait()
    assert client.answered == list(range(1, 3002))
    assert turns >= len(lines) // COMMANDS_PER_SLICE - 1
    assert not client.transport.paused


async def test_queued_commands_run_after_the_client_has_closed(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("publish")
    client.send(PUBLISH, PUBLISH)
    client.send(PUBLISH)
    client.transport.lose()
    rig.gate.release("publish")
    await rig.settle()
    assert rig.gate.channels("publish") == ["news"] * 3
    rig.assert_nothing_left()


async def test_queued_commands_are_dropped_when_the_server_closes(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("publish")
    client.send(PUBLISH, PUBLISH)
    client.send(PUBLISH)
    client.session.disconnect(DISCONNECT_FORCE)
    rig.gate.release("publish")
    await rig.settle()
    assert rig.gate.channels("publish") == ["news"]
    assert client.answered == [1]
    rig.assert_nothing_left()


async def test_a_deferred_slice_is_dropped_when_the_connection_closes(rig: Rig) -> None:
    client = rig.connected()
    client.send(*[PUBLISH] * (COMMANDS_PER_SLICE + 50))
    started = len(rig.gate.channels("publish"))
    assert started < COMMANDS_PER_SLICE + 50
    client.session.disconnect(DISCONNECT_FORCE)
    await rig.settle()
    assert len(rig.gate.channels("publish")) == started
