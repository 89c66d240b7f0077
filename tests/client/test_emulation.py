"""Commands in separate requests (02 §7.4): ordered within one, concurrent between requests."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from fanjet.node.registry import UnknownNode
from fanjet.protocol.codec import MalformedFrame
from fanjet.protocol.codes import DISCONNECT_FORCE
from fanjet.protocol.emulation import emulation_request

if TYPE_CHECKING:
    from tests.client.client import Client
    from tests.client.harness import Rig


def request(client: Client, *commands: dict[str, Any]) -> asyncio.Task[None]:
    """Bring commands to a client's session, in a task that ends when they have run."""
    data = json.dumps("\n".join(map(json.dumps, commands))).encode()
    return asyncio.get_running_loop().create_task(client.session.run_commands(data))


def history(number: int, channel: str = "full:x") -> dict[str, Any]:
    return {"id": number, "history": {"channel": channel, "limit": 1}}


async def subscribed(rig: Rig) -> Client:
    client = rig.connected()
    client.call(subscribe={"channel": "full:x"})
    return client


async def test_a_request_ends_when_its_commands_have_run(rig: Rig) -> None:
    client = await subscribed(rig)
    rig.gate.hold("history")
    running = request(client, history(11), history(12), {"id": 13, "presence_stats": {"channel": "full:x"}})
    await rig.settle()
    assert not running.done()
    assert not {11, 12, 13} & set(client.answered)
    rig.gate.release_one("history")
    await rig.settle()
    assert client.answered[-1] == 11
    assert not running.done()
    rig.gate.release("history")
    await rig.settle()
    assert client.answered[-2:] == [12, 13]
    await running


async def test_a_slow_request_holds_up_no_other(rig: Rig) -> None:
    client = await subscribed(rig)
    rig.gate.hold("history")
    slow = request(client, history(11), {"id": 12, "presence_stats": {"channel": "full:x"}})
    await rig.settle()
    quick = request(client, {"id": 21, "presence_stats": {"channel": "full:x"}})
    await rig.settle()
    assert quick.done()
    assert not slow.done()
    assert client.answered[-1] == 21
    assert client.transport.pauses == 0
    rig.gate.release("history")
    await slow
    assert client.answered[-2:] == [11, 12]


async def test_a_pong_counts_while_a_command_waits(rig: Rig) -> None:
    client = await subscribed(rig)
    while not client.pings:  # the first comes at some time within the interval
        await rig.pass_time(1)
    rig.gate.hold("history")
    slow = request(client, history(11))
    await rig.settle()
    await request(client, {})
    await rig.pass_time(9)
    assert client.code is None
    rig.gate.release("history")
    await slow


async def test_a_request_ends_with_its_connection(rig: Rig) -> None:
    client = await subscribed(rig)
    rig.gate.hold("history")
    running = request(client, history(11), history(12))
    await rig.settle()
    client.session.disconnect(DISCONNECT_FORCE)
    rig.gate.release("history")
    await asyncio.wait_for(running, 1)
    assert client.code == 3503
    assert not {11, 12} & set(client.answered)
    rig.assert_nothing_left()


async def test_many_commands_of_one_request_give_way_and_all_run(rig: Rig) -> None:
    client = await subscribed(rig)
    await request(client, *({"id": number, "presence_stats": {"channel": "full:x"}} for number in range(100, 500)))
    assert client.answered[-400:] == list(range(100, 500))


@pytest.mark.parametrize("text", ["", "x", '{"id":1}', '{"id":2,"connect":{}}'])
async def test_a_malformed_frame_ends_the_connection(rig: Rig, text: str) -> None:
    client = rig.connected()
    await client.session.run_commands(json.dumps(text).encode())
    assert client.code == 3501


async def test_data_without_a_frame_has_no_effect(rig: Rig) -> None:
    client = rig.connected()
    with pytest.raises(MalformedFrame):
        await client.session.run_commands(b"{}")
    assert client.code is None


async def test_the_node_knows_where_a_request_belongs(rig: Rig) -> None:
    async def emulate(node: str, session: str = "nobody's") -> None:
        body = json.dumps({"node": node, "session": session, "data": "{}"}).encode()
        await rig.node.emulate(emulation_request(body, is_protobuf=False))

    with pytest.raises(UnknownNode):
        await emulate("another")
    await emulate(rig.node.uid)


async def test_nothing_of_a_connection_that_ends_amid_a_request_waits_for_the_collector(rig: Rig) -> None:
    client = await subscribed(rig)
    rig.gate.hold("history")
    running = request(client, history(11))
    await rig.settle()
    gc.collect()
    gc.disable()
    try:
        alive = weakref.ref(client.transport)
        client.session.disconnect(DISCONNECT_FORCE)
        rig.gate.release("history")
        await running
        await rig.settle()
        del client, running
        await rig.settle()
        assert alive() is None
    finally:
        gc.enable()
