"""Subscribes sent together: all channels are requested from the broker while the first waits."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from fanjet.client.commands.subscribe_prefetch import MAX_COMMANDS, MAX_FRAME_BYTES
from fanjet.engines.interfaces import EngineUnavailable

if TYPE_CHECKING:
    from tests.client.client import Client
    from tests.client.harness import Rig

LINGER = 2.0


def subscribe_to(client: Client, *channels: str) -> list[int]:
    return client.send(*({"subscribe": {"channel": channel}} for channel in channels))


async def test_all_channels_are_requested_while_the_first_waits(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("subscribe")
    ids = subscribe_to(client, "a", "b", "c")
    await rig.settle()
    assert rig.gate.channels("subscribe") == ["a", "b", "c"]
    assert client.answered == [1]
    rig.gate.release("subscribe")
    await rig.settle()
    assert client.answered == [1, *ids]
    await rig.publish("c")
    await rig.settle()
    assert client.data("c") == [1]
    assert rig.gate.channels("subscribe") == ["a", "b", "c"]


async def test_the_replies_leave_in_one_write(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("subscribe")
    ids = subscribe_to(client, "a", "b", "c")
    await rig.settle()
    writes = len(client.transport.writes)
    for channel in ("b", "c", "a"):
        rig.gate.release_one("subscribe", channel)
        await rig.settle()
    assert client.answered == [1, *ids]
    assert len(client.transport.writes) == writes + 1


async def test_forbidden_channels_are_not_prefetched(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("subscribe")
    _, forbidden, unknown, _ = client.send(
        {"subscribe": {"channel": "a"}},
        {"subscribe": {"channel": "$private", "token": "x"}},
        {"subscribe": {"channel": "nowhere:b"}},
        {"subscribe": {"channel": "c" * 256}},
    )
    await rig.settle()
    assert rig.gate.channels("subscribe") == ["a"]
    rig.gate.release("subscribe")
    await rig.settle()
    assert (client.error(forbidden), client.error(unknown)) == (103, 102)


async def test_only_directly_following_subscribes_are_prefetched(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("subscribe")
    client.send({"subscribe": {"channel": "a"}}, {"rpc": {"method": "ping"}}, {"subscribe": {"channel": "b"}})
    await rig.settle()
    assert rig.gate.channels("subscribe") == ["a"]
    rig.gate.release("subscribe")
    await rig.settle()
    assert client.answered == [1, 2, 3, 4]


async def test_a_malformed_command_ends_the_connection_in_its_turn(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("subscribe")
    client.transport.receive(b'{"id":5,"subscribe":{"channel":"a"}}\n{"id":6,"subscribe":{"channel":"b"}}\n{"id":')
    await rig.settle()
    assert client.code is None or client.answered == [1]
    rig.gate.release("subscribe")
    await rig.settle()
    assert client.code == 3501


async def test_later_frames_are_prefetched_on_arrival(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("subscribe")
    ids = subscribe_to(client, "a") + subscribe_to(client, "b", "c") + subscribe_to(client, "d")
    await rig.settle()
    assert rig.gate.channels("subscribe") == ["a", "b", "c", "d"]
    assert not client.transport.paused
    writes = len(client.transport.writes)
    for channel in ("b", "c", "d", "a"):
        rig.gate.release_one("subscribe", channel)
        await rig.settle()
    assert client.answered == [1, *ids]
    assert len(client.transport.writes) == writes + 1
    assert rig.gate.channels("subscribe") == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param({"rpc": {"method": "ping"}}, id="another-command"),
        pytest.param({"subscribe": {"channel": "b", "token": "x" * MAX_FRAME_BYTES}}, id="a-long-frame"),
    ],
)
async def test_a_frame_with_anything_else_holds_the_input(rig: Rig, command: dict[str, Any]) -> None:
    client = rig.connected()
    rig.gate.hold("subscribe")
    ids = subscribe_to(client, "a") + client.send(command) + subscribe_to(client, "c")
    await rig.settle()
    assert rig.gate.channels("subscribe") == ["a"]
    assert client.transport.paused
    assert client.transport.unread == 1
    rig.gate.release("subscribe")
    await rig.settle()
    assert client.answered == [1, *ids]
    assert not client.transport.paused


async def test_so_many_frames_are_looked_at_and_not_more(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("subscribe")
    ids = [number for count in range(2 * MAX_COMMANDS) for number in subscribe_to(client, f"room{count}")]
    await rig.settle()
    assert len(rig.gate.channels("subscribe")) == 1 + MAX_COMMANDS
    assert client.transport.paused
    rig.gate.release("subscribe")
    await rig.settle()
    assert client.answered == [1, *ids]
    assert client.transport.unread == 0


async def test_no_more_commands_are_looked_at_when_fewer_frames_bring_them(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("subscribe")
    ids = subscribe_to(client, "a")
    for count in range(20):
        ids += subscribe_to(client, *(f"room{count}-{number}" for number in range(MAX_COMMANDS // 5)))
    await rig.settle()
    assert len(rig.gate.channels("subscribe")) == 1 + MAX_COMMANDS
    assert client.transport.paused
    assert client.transport.unread == 15
    rig.gate.release("subscribe")
    await rig.settle()
    assert client.answered == [1, *ids]
    assert client.transport.unread == 0


async def test_a_malformed_frame_ends_the_connection_in_its_turn(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("subscribe")
    ids = subscribe_to(client, "a") + subscribe_to(client, "b")
    client.transport.receive(b'{"id":')
    await rig.settle()
    assert client.code is None
    rig.gate.release("subscribe")
    await rig.settle()
    assert client.answered == [1, *ids]
    assert client.code == 3501


@pytest.mark.parametrize("frame", [b'{"id":', b'{"id":9,"subscribe":{"channel":"b"}}\n{"id":'], ids=["alone", "behind"])
async def test_a_malformed_frame_that_has_waited_keeps_no_session_alive(rig: Rig, frame: bytes) -> None:
    gc.collect()
    gc.disable()
    try:
        client = rig.connected()
        rig.gate.hold("subscribe")
        subscribe_to(client, "a")
        client.transport.receive(frame)
        rig.gate.release("subscribe")
        await rig.settle()
        assert client.code == 3501
        alive = weakref.ref(client.transport)
        del client
        await rig.settle()
        assert alive() is None
    finally:
        gc.enable()


async def test_without_a_channel_the_broker_is_not_called(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("subscribe")
    ids = subscribe_to(client, "a") + subscribe_to(client, "b")
    subscribe_to(client, "")
    await rig.settle()
    assert rig.gate.channels("subscribe") == ["a", "b"]
    rig.gate.release("subscribe")
    await rig.settle()
    assert client.answered == [1, *ids]
    assert client.code == 3501


async def test_nothing_is_prefetched_behind_a_command_without_broker_call(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("publish")
    client.send({"publish": {"channel": "news", "data": 1}})
    subscribe_to(client, "a")
    await rig.settle()
    assert not rig.gate.channels("subscribe")
    assert client.transport.paused
    rig.gate.release("publish")
    await rig.settle()
    assert rig.gate.channels("subscribe") == ["a"]


async def test_others_wait_for_their_own_channel_alone(rig: Rig) -> None:
    first, second = rig.connected("ann"), rig.connected("bob")
    rig.gate.hold("subscribe")
    subscribe_to(first, "a", "b", "c")
    (number,) = subscribe_to(second, "b")
    await rig.settle()
    rig.gate.release_one("subscribe")
    await rig.settle()
    assert number not in second.answered
    rig.gate.release_one("subscribe")
    await rig.settle()
    assert "subscribe" in second.reply(number)
    assert rig.broker.subscribed == {"a", "b"}
    assert rig.gate.channels("subscribe") == ["a", "b", "c"]


async def test_an_unused_prefetched_channel_is_unsubscribed(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("subscribe")
    subscribe_to(client, "a", "b")
    await rig.settle()
    client.transport.lose()
    rig.gate.release("subscribe")
    await rig.settle()
    assert rig.broker.subscribed == {"a", "b"}
    await rig.pass_time(LINGER)
    assert not rig.broker.subscribed
    assert not rig.node.hub.channels


async def test_a_failed_prefetch_is_retried(rig: Rig) -> None:
    client = rig.connected()
    rig.gate.hold("subscribe")
    _, second = subscribe_to(client, "a", "b")
    await rig.settle()
    rig.gate.fail("subscribe", EngineUnavailable("away"))
    rig.gate.release("subscribe")
    await rig.settle()
    assert client.code == 3004  # the first one's: whatever came ahead of its turn changes nothing
    assert second not in client.answered
    other = rig.connected()
    subscribe_to(other, "b")
    await rig.settle()
    assert "b" in rig.broker.subscribed
