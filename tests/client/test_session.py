"""The end of a session: what it sends, that nothing is left behind, and that memory is freed (01 §5.9)."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from typing import TYPE_CHECKING

import pytest

from fanjet.protocol.codes import (
    DISCONNECT_CONNECTION_CLOSED,
    DISCONNECT_FORCE,
    DISCONNECT_SHUTDOWN,
    DISCONNECT_SLOW,
    UNSUBSCRIBE_SERVER,
    Disconnect,
)
from fanjet.protocol.messages import UnsubscribePush
from tests.support.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.client.client import Client, FakeTransport
    from tests.client.harness import Rig


async def test_a_closed_connection_leaves_nothing_behind(rig: Rig) -> None:
    client = rig.connected()
    client.call(subscribe={"channel": "full:a"})
    client.call(subscribe={"channel": "news"})
    assert await rig.present("full:a") == {client.session.client_id}
    client.session.disconnect(DISCONNECT_FORCE)
    assert client.code == 3503
    await rig.settle()
    rig.assert_nothing_left()
    await rig.pass_time(3)
    assert rig.broker.subscribed == set()
    assert rig.node.hub.channels == {}


async def test_the_connection_is_closed_before_the_engine_is_called(rig: Rig) -> None:
    client = rig.connected()
    client.call(subscribe={"channel": "full:a"})
    rig.gate.hold("remove")
    client.session.disconnect(DISCONNECT_FORCE)
    assert client.code == 3503
    assert len(rig.node.connections) == 0
    await rig.settle()
    assert rig.gate.waiting("remove") == 1
    rig.gate.release("remove")
    await rig.settle()
    rig.assert_nothing_left()


async def test_only_the_first_disconnect_counts(rig: Rig) -> None:
    client = rig.connected()
    client.session.disconnect(DISCONNECT_FORCE)
    client.session.disconnect(DISCONNECT_SHUTDOWN)
    client.session.on_lost()
    assert client.code == 3503


@pytest.mark.parametrize(
    ("disconnect", "flushed"),
    [
        pytest.param(DISCONNECT_FORCE, True, id="3503"),
        pytest.param(DISCONNECT_SHUTDOWN, True, id="3001"),
        pytest.param(Disconnect(4500, "custom"), True, id="custom"),
        pytest.param(DISCONNECT_CONNECTION_CLOSED, False, id="3000"),
        pytest.param(DISCONNECT_SLOW, False, id="3008"),
    ],
)
@pytest.mark.parametrize("blocked", [False, True])
async def test_queued_frames_are_written_before_the_end_except_for_3000_and_3008(
    rig: Rig, disconnect: Disconnect, flushed: bool, blocked: bool
) -> None:
    client = rig.connected()
    client.call(subscribe={"channel": "news"})
    client.transport.full = blocked
    await rig.publish("news", b"1")
    await rig.settle()
    await rig.publish("news", b"2")
    if blocked:
        await rig.settle()
    await rig.publish("news", b"3")
    before = client.data()
    client.session.disconnect(disconnect)
    assert client.data() == ([1, 2, 3] if flushed else before)
    assert client.code == disconnect.code


@pytest.mark.parametrize("code", [3503, 3000])
async def test_a_transport_that_wants_it_gets_the_disconnect_as_the_last_message(rig: Rig, code: int) -> None:
    client = rig.connected()
    client.transport.pushes_disconnect = True
    client.session.disconnect(Disconnect(code, "reason"))
    pushed = [{"disconnect": {"code": code, "reason": "reason"}}] if code != 3000 else []
    assert client.pushes == pushed


async def test_nothing_is_sent_after_the_end(rig: Rig) -> None:
    client = rig.connected()
    client.call(subscribe={"channel": "news"})
    client.session.disconnect(DISCONNECT_FORCE)
    count = len(client.transport.writes)
    client.session.push("news", UnsubscribePush(2000, "gone"))
    await rig.publish("news")
    await client.session.subscribe_by_server("news", rig.options("news"), None)
    await client.session.unsubscribe_by_server("news", UNSUBSCRIBE_SERVER)
    client.session.refresh_by_server(expired=False, expire_at=0, info=b"")
    await rig.settle()
    await rig.pass_time(60)
    assert len(client.transport.writes) == count
    rig.assert_nothing_left()


async def test_an_error_reply_to_connect_makes_the_connection_unusable(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    client = rig.open()
    expired = token("ann", exp=int(rig.clock.unix()) - 10)
    client.transport.receive(
        json.dumps({"id": 1, "connect": {"token": expired}}).encode() + b'\n{"id":2,"rpc":{"method":"ping"}}'
    )
    assert client.error(1) == 109
    assert client.answered == [1]
    assert client.transport.abandoned
    assert len(rig.node.connections) == 0
    client.transport.receive(b'{"id":3,"rpc":{"method":"ping"}}')
    assert client.code == 3501
    rig.assert_nothing_left()


async def test_shutdown_closes_authenticated_and_unauthenticated_sessions(rig: Rig) -> None:
    connected, silent = rig.connected(), rig.open()
    await rig.node.shut_down()
    rig.context.shut_down()
    assert (connected.code, silent.code) == (3001, 3001)
    rig.assert_nothing_left()


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


ENDINGS = [
    pytest.param(lambda client: client.session.disconnect(DISCONNECT_FORCE), id="closed by the server"),
    pytest.param(lambda client: client.transport.lose(), id="lost"),
    pytest.param(lambda client: client.transport.receive(b"[]"), id="closed for a malformed frame"),
    pytest.param(lambda client: client.transport.receive(b'{"id":9,"send":{"data":1}}'), id="closed by a command"),
    pytest.param(lambda client: client.session.on_write_timeout(), id="not writable"),
]


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("end", ENDINGS)
@pytest.mark.parametrize("waits", [False, True], ids=["idle", "with a command in flight"])
async def test_sessions_are_freed_without_the_collector(rig: Rig, end: Callable[[Client], None], waits: bool) -> None:
    alive: list[weakref.ref[FakeTransport]] = []
    for _ in range(300):
        client = rig.open()
        client.send({"connect": {"token": token("ann")}})
        client.send({"subscribe": {"channel": "full:a"}})
        client.send({"subscribe": {"channel": "news", "recover": True}})
        await asyncio.sleep(0)
        assert client.answered == [1, 2, 3]
        if waits:
            rig.gate.hold("publish")
            client.send({"publish": {"channel": "news", "data": 1}})
            client.send({"rpc": {"method": "ping"}})
        end(client)
        alive.append(weakref.ref(client.transport))
        del client
    rig.gate.release("publish")
    await rig.settle()
    await rig.pass_time(3)
    rig.assert_nothing_left()
    assert sum(one() is not None for one in alive) == 0


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("waits", [False, True], ids=["idle", "connecting"])
async def test_sessions_that_never_connected_are_freed_too(rig: Rig, waits: bool) -> None:
    alive: list[weakref.ref[FakeTransport]] = []
    if waits:
        rig.gate.hold("subscribe")
    for _ in range(300):
        client = rig.open()
        if waits:
            client.transport.receive(json.dumps({"id": 1, "connect": {"token": token("a", channels=["x"])}}).encode())
        client.transport.lose()
        alive.append(weakref.ref(client.transport))
        del client
    rig.gate.release("subscribe")
    await rig.settle()
    await rig.pass_time(3)
    rig.assert_nothing_left()
    assert sum(one() is not None for one in alive) == 0
