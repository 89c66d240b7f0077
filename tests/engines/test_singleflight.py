"""Sharing of concurrent identical reads (07 §22.2, 11-32)."""

from __future__ import annotations

import asyncio

import pytest

from fanjet.engines.interfaces import EngineUnavailable, PublishOptions
from fanjet.engines.memory import MemoryBroker, MemoryPresenceManager
from fanjet.engines.singleflight import SingleflightBroker, SingleflightPresenceManager
from fanjet.protocol.publication import ClientInfo
from tests.client.engine import Gate, GatedBroker, GatedPresence
from tests.engines.conftest import Recorder

KEEP = PublishOptions(history_size=10, history_ttl=10)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def broker(gate: Gate) -> SingleflightBroker:
    return SingleflightBroker(GatedBroker(Recorder(), gate))


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_concurrent_identical_calls_are_shared(broker: SingleflightBroker, gate: Gate) -> None:
    await broker.publish("news", b"1", KEEP)
    reads = await asyncio.gather(*(broker.history("news", limit=-1) for _ in range(100)))
    assert gate.channels("history") == ["news"]
    assert all(read is reads[0] for read in reads)
    assert len(reads[0].publications) == 1


async def test_different_calls_are_not_shared(broker: SingleflightBroker, gate: Gate) -> None:
    await asyncio.gather(broker.history("news"), broker.history("sport"), broker.history("news", limit=0))
    assert sorted(gate.channels("history")) == ["news", "news", "sport"]
    await broker.history("news")
    assert len(gate.channels("history")) == 4


async def test_no_result_is_older_than_its_call(broker: SingleflightBroker, gate: Gate) -> None:
    gate.hold("history answer")
    first = asyncio.ensure_future(broker.history("news"))
    await turns()
    await broker.publish("news", b"1", KEEP)
    late = [asyncio.ensure_future(broker.history("news")) for _ in range(10)]
    await turns()
    assert gate.channels("history") == ["news"]
    gate.release("history answer")
    assert not (await first).publications
    assert all(len(read.publications) == 1 for read in await asyncio.gather(*late))
    assert gate.channels("history") == ["news", "news"]


async def test_failures_are_shared_but_not_cached(broker: SingleflightBroker, gate: Gate) -> None:
    gate.fail("history", EngineUnavailable("away"))
    outcomes = await asyncio.gather(*(broker.history("news") for _ in range(3)), return_exceptions=True)
    assert all(isinstance(outcome, EngineUnavailable) for outcome in outcomes)
    assert (await broker.history("news")).top.epoch


async def test_cancelling_one_caller_does_not_affect_others(broker: SingleflightBroker, gate: Gate) -> None:
    gate.hold("history")
    reads = [asyncio.ensure_future(broker.history("news")) for _ in range(3)]
    await turns()
    reads[0].cancel()
    await turns()
    gate.release("history")
    await asyncio.gather(*reads[1:])
    assert gate.channels("history") == ["news"]


async def test_presence_is_shared(gate: Gate) -> None:
    manager = SingleflightPresenceManager(GatedPresence(gate))
    info = ClientInfo("ann", "c1")
    await manager.add("news", "c1", info)
    presences = await asyncio.gather(*(manager.presence("news") for _ in range(100)))
    assert presences[0] == {"c1": info}
    assert await asyncio.gather(*(manager.presence_stats("news") for _ in range(100))) == [(1, 1)] * 100
    await manager.remove("news", "c1", "ann")
    assert await manager.presence("news") == {}
    assert gate.channels("presence") == ["news"] * 2
    assert gate.channels("presence_stats") == ["news"]


async def test_other_calls_are_delegated() -> None:
    events = Recorder()
    broker, manager = SingleflightBroker(MemoryBroker(events)), SingleflightPresenceManager(MemoryPresenceManager())
    for engine in (broker, manager):
        await engine.start()
        assert not engine.outage
    assert broker.silence is None
    await broker.subscribe("news")
    await broker.publish("news", b"1", KEEP)
    await broker.publish_join("news", ClientInfo("ann", "c1"))
    await broker.publish_leave("news", ClientInfo("ann", "c1"))
    await broker.remove_history("news")
    assert (await broker.history("news")).publications == []
    await broker.unsubscribe("news")
    assert [each.publication.data for each in events.delivered] == [b"1"]
    assert [kind for kind, _, _ in events.members] == ["join", "leave"]
    for engine in (broker, manager):
        await engine.close()
