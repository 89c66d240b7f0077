"""Publications whose offsets are assigned by workers, and their storage by the engine."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from fanjet.engines.interfaces import EngineUnavailable, PublishOptions
from fanjet.engines.memory_server import engine as module
from fanjet.engines.memory_server import offset_slots
from fanjet.engines.memory_server.engine import Engine
from fanjet.engines.memory_server.handshake import receive_descriptor
from fanjet.engines.memory_server.journal import Journal
from fanjet.engines.memory_server.journal_records import encode_record
from fanjet.engines.memory_server.journal_server import StoreFailed
from fanjet.engines.memory_server.messages import Published, encode
from fanjet.protocol.publication import Publication
from tests.engines.memory_server.conftest import Worker, working
from tests.support.shared_engine import EngineProcess, connect_raw, holding_lock
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

KEEP = PublishOptions(history_size=10, history_ttl=300)
DELTA = replace(KEEP, use_delta=True)
SLOW = 30.0
UNKNOWN = Published("unknown", Publication(b"1", offset=1), "epoch", False, None, (1, 1, 1))
"""A publication in a stream that the engine does not have."""


async def numbered(worker: Worker, channel: str = "news") -> bool:
    """Whether the worker assigns the next offset of this channel itself."""
    published = worker.broker.publish(channel, b"?", KEEP)
    return published is await published


async def history(worker: Worker, channel: str = "news") -> list[tuple[int, bytes]]:
    return [(each.offset, each.data) for each in (await worker.broker.history(channel)).publications]


async def test_the_engine_stores_publications_that_workers_append(engine):
    async with working(engine, "a") as a, working(engine, "b") as b:
        for each in (a, b):
            assert not await numbered(each)
            assert await numbered(each)
        assert await history(b) == [(1, b"?"), (2, b"?"), (3, b"?"), (4, b"?")]
        assert (await a.broker.publish("news", b"5", KEEP)).offset == 5
        await b.broker.remove_history("news")
        assert (await a.broker.publish("news", b"6", KEEP)).offset == 6
        assert await history(a) == [(6, b"6")]


async def test_history_has_the_size_of_the_latest_publish(engine):
    async with working(engine) as worker:
        for number in range(1, 6):
            await worker.broker.publish("news", b"%d" % number, replace(KEEP, history_size=number % 3 + 1))
        assert await history(worker) == [(3, b"3"), (4, b"4"), (5, b"5")][-(5 % 3 + 1) :]


async def test_deltas_keys_and_versions_go_to_the_engine(engine):
    async with working(engine, "a") as a, working(engine, "b") as b:
        await b.broker.subscribe("news")
        for each in (a, b):
            await numbered(each)
            await numbered(each)
        await a.broker.publish("news", b"5", KEEP)
        assert (await b.broker.publish("news", b"6", DELTA)).offset == 6
        assert b.events.delivered[-1].previous.data == b"5"
        assert not await numbered(a)
        assert await numbered(b)  # it still knows the offset slot
        once = replace(KEEP, idempotency_key="k")
        assert [(await each.broker.publish("news", b"9", once)).offset for each in (a, b)] == [9, 9]
        newer = replace(KEEP, version=3)
        assert (await a.broker.publish("news", b"10", newer)).suppressed == ""
        assert (await b.broker.publish("news", b"10", newer)).suppressed == "version"
        assert not await numbered(b)
        assert (await b.broker.publish("news", b"12", newer)).offset == 12, "one without a version resets it"


async def test_the_newest_publication_defines_the_time_to_live(engine):
    async with working(engine) as worker:
        await worker.broker.publish("news", b"1", replace(KEEP, history_ttl=1))
        await worker.broker.publish("news", b"2", KEEP)
        await worker.broker.publish("gone", b"1", KEEP)
        await worker.broker.publish("gone", b"2", replace(KEEP, history_ttl=1))

        async def is_gone() -> bool:
            return await history(worker, "gone") == []

        await until(is_gone, SLOW)
        assert await history(worker) == [(1, b"1"), (2, b"2")]
        assert (await worker.broker.publish("gone", b"3", KEEP)).offset == 3


async def test_an_expired_stream_has_a_new_epoch(engine):
    brief = replace(KEEP, history_meta_ttl=1)
    async with working(engine, "a") as a, working(engine, "b") as b:
        first, published = [await each.broker.publish("news", b"1", brief) for each in (a, b)]
        while published.epoch == first.epoch:
            await asyncio.sleep(2.1)
            published = await a.broker.publish("news", b"1", brief)
        assert published.offset == 1
        assert (await b.broker.publish("news", b"2", KEEP)).position == replace(published.position, offset=2)


async def test_streams_beyond_the_offset_slots_use_the_engine(engine, monkeypatch):
    monkeypatch.setattr(offset_slots, "MAX_OFFSET_SLOTS", 2)
    async with working(engine) as worker:
        for channel in ("a", "b", "c"):
            await numbered(worker, channel)
        assert [await numbered(worker, channel) for channel in ("a", "b", "c")] == [True, True, False]


async def test_publications_during_a_pause_of_the_engine_are_stored(folder: Path):
    with EngineProcess(str(folder / "engine")) as process:
        async with working(process.path, "a") as a, working(process.path, "b") as b:
            await b.broker.subscribe("news")
            await numbered(a)
            process.freeze()
            assert [(await a.broker.publish("news", b"%d" % number, KEEP)).offset for number in (2, 3)] == [2, 3]
            await b.events.deliveries(3)
            process.thaw()
            assert await history(b) == [(1, b"?"), (2, b"2"), (3, b"3")]


async def test_long_publications_use_the_engine_and_too_long_ones_fail(engine, monkeypatch):
    async with working(engine) as worker:
        await worker.broker.subscribe("news")
        await numbered(worker)
        sizes = (10, 300_000, 20)
        published = await asyncio.gather(*(worker.broker.publish("news", b"x" * size, KEEP) for size in sizes))
        assert [each.offset for each in published] == [2, 3, 4]
        delivered = await worker.events.deliveries(4)
        assert [len(each.publication.data) for each in delivered] == [1, *sizes]
        monkeypatch.setattr("fanjet.engines.memory_server.journal_client.MAX_PUBLICATION", 1_000)
        with pytest.raises(EngineUnavailable, match="too long"):
            await worker.broker.publish("news", b"x" * 1_000, KEEP)
        assert (await worker.broker.publish("news", b"x", KEEP)).offset == 5


async def test_the_engine_is_used_while_the_lock_is_held(engine):
    async with working(engine) as worker:
        await numbered(worker)
        with connect_raw(engine) as raw:
            raw.setblocking(False)
            descriptor = await receive_descriptor(raw)
        with holding_lock(descriptor):
            os.close(descriptor)
            asked = worker.broker.publish("news", b"2", KEEP)
            await asyncio.sleep(0.05)
        assert (await asked).offset == 2
        assert await history(worker) == [(1, b"?"), (2, b"2")]


async def test_publications_without_history_do_not_overwrite_unstored_ones(engine, monkeypatch):
    monkeypatch.setattr(module, "IDLE_SECONDS", 300.0)
    monkeypatch.setattr(module, "SYNC_SECONDS", 300.0)
    async with working(engine) as worker:

        async def appended() -> bool:
            return worker.client.flush()

        await numbered(worker)
        await numbered(worker)
        for number in range(100):  # 100 MB, as fast as they are taken
            worker.broker.publish(f"other{number}", b"x" * 1_000_000, PublishOptions())
            await until(appended, SLOW)
        assert await history(worker) == [(1, b"?"), (2, b"?")]


@pytest.mark.parametrize(
    "appended", [b"x", encode_record([b"x"], store=True), encode_record([encode(UNKNOWN)], store=True)]
)
async def test_an_engine_that_cannot_store_a_publication_fails(folder: Path, monkeypatch, appended):
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.01)
    engine = Engine(pipe_prefix=str(folder / "engine."), history_meta_ttl=0)
    await engine.start()
    another = Journal(os.dup(engine.journal_descriptor))
    another.offsets.open(0, 1, 0)
    another.append_next(0, 1, lambda _: appended)
    with pytest.raises(StoreFailed):
        await asyncio.wait_for(engine.failed, SLOW)
    await engine.close()
    another.close()
