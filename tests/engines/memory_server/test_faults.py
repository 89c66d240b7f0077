"""Failures of the engine and of its connection: calls fail in time, and workers recover, as with Redis."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from fanjet.engines.interfaces import EngineUnavailable, Published, PublishOptions
from fanjet.engines.memory_server import EngineClient, SharedBroker, engine_connection
from fanjet.engines.memory_server import engine_client as client_module
from fanjet.engines.memory_server.handshake import receive_descriptor
from fanjet.protocol.publication import ClientInfo, StreamPosition
from tests.engines.memory_server.conftest import Worker, working
from tests.support.shared_engine import EngineProcess, Wire, connect_raw, engine_at, engine_within, holding_lock
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from fanjet.protocol.publication import Publication

KEEP = PublishOptions(history_size=10_000, history_ttl=300)
ASK = PublishOptions(history_size=10_000, history_ttl=300, use_delta=True)
"""Publish options that need a call to the engine."""
NO_STREAM = PublishOptions()
ALICE = ClientInfo("alice", "c1")
BOB = ClientInfo("bob", "c2")
SLOW = 30.0


@pytest.fixture
def process(folder: Path) -> Iterator[EngineProcess]:
    """An engine that can be killed and paused."""
    with EngineProcess(str(folder / "engine")) as engine:
        engine.wait_ready()
        yield engine


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short timeouts of workers."""
    monkeypatch.setattr(engine_connection, "KEEPALIVE_SECONDS", 0.05)
    monkeypatch.setattr(client_module, "CONNECT_SECONDS", 0.5)


async def restored(worker: Worker, times: int = 1) -> None:
    async def is_restored() -> bool:
        return worker.events.restored >= times

    await until(is_restored, SLOW)
    assert worker.broker.outage == ""


async def delivered_again(worker: Worker, channel: str = "news") -> None:
    """Wait until a publication is delivered again."""
    before = len(worker.events.delivered)

    async def arrives() -> bool:
        try:
            await worker.broker.publish(channel, b"again", KEEP)
        except EngineUnavailable:
            return False
        return len(worker.events.delivered) > before

    await until(arrives, SLOW)


# ------------------------------------------------------------------------------------------------------ start


async def test_start_without_an_engine_fails(folder):
    client = EngineClient(str(folder / "engine"), "me")
    with pytest.raises(EngineUnavailable, match="error connecting to the engine at"):
        await client.start()
    await client.close()


@pytest.mark.usefixtures("short_timeouts")
async def test_start_times_out_if_the_engine_hangs(process):
    process.freeze()
    client = EngineClient(process.path, "me")
    with pytest.raises(EngineUnavailable, match="timeout"):
        await client.start()
    await client.close()


# ------------------------------------------------------------------------------------------------------ losses


@pytest.mark.usefixtures("short_timeouts")
async def test_silence_is_measured_before_and_during_an_outage(process):
    async with working(process.path) as worker:
        process.freeze()
        before: list[float] = []

        async def is_lost() -> bool:
            if not worker.broker.outage:
                before.append(worker.broker.silence)
            return worker.broker.outage != ""

        await until(is_lost, SLOW)
        longest = max(before)
        assert longest > 0.1

        async def goes_on() -> bool:
            return worker.broker.silence > longest + 1

        await until(goes_on, SLOW)
        process.thaw()
        await restored(worker)

        async def is_heard() -> bool:
            return worker.broker.silence <= 0.1

        await until(is_heard, SLOW)


async def test_calls_are_queued_while_the_engine_does_not_read(process, short_timeouts, monkeypatch):
    monkeypatch.setattr(engine_connection, "MAX_UNSENT", 1_000_000)

    async def publish(worker: Worker) -> list[asyncio.Future[Published]]:
        calls = []
        for data, count in ((b"x" * 400_000, 10), (b"1", 3), (b"2", 3)):
            calls += [asyncio.ensure_future(worker.broker.publish("news", data, ASK)) for _ in range(count)]
            await asyncio.sleep(0.05)
        return calls

    async with working(process.path) as worker:
        process.freeze()
        calls = await publish(worker)
        process.thaw()
        assert [each.position.offset for each in await asyncio.gather(*calls)] == list(range(1, 17))
        process.freeze()
        failures = await asyncio.gather(*await publish(worker), return_exceptions=True)
        assert {type(each) for each in failures} == {engine_connection.ConnectionLost}
        process.thaw()
        await restored(worker)
        assert (await worker.broker.publish("news", b"3", KEEP)).position.offset > 16


async def test_a_restarted_engine_has_new_epochs(process):
    async with working(process.path) as worker:
        await worker.broker.subscribe("news")
        old = (await worker.broker.publish("news", b"1", KEEP)).position
        await worker.presence.add("news", "c1", ALICE)
        process.freeze()  # so that the calls are certainly under way
        under_way = [asyncio.ensure_future(worker.broker.publish("news", b"2", ASK)) for _ in range(3)]
        await asyncio.sleep(0)
        process.kill()
        results = await asyncio.gather(*under_way, return_exceptions=True)
        assert {type(each) for each in results} == {engine_connection.ConnectionLost}
        assert worker.broker.outage == worker.presence.outage == worker.controller.outage == "the engine's process"
        process.start()
        await restored(worker)
        new = (await worker.broker.publish("news", b"1", KEEP)).position
        assert new.offset == 1
        assert new.epoch != old.epoch
        assert len(await worker.events.deliveries(2)) == 2
        assert await worker.presence.presence("news") == {"c1": ALICE}


@pytest.mark.parametrize(("count", "size"), [(400, 10_000), (2_000, 10)])
async def test_presence_is_restored_beyond_the_write_buffer(process, monkeypatch, count, size):
    monkeypatch.setattr(engine_connection, "MAX_UNSENT", 1_000_000)
    monkeypatch.setattr(client_module, "MAX_UNANSWERED", 1_000)
    async with working(process.path) as worker:
        for number in range(count):
            client = f"c{number}"
            info = ClientInfo("alice", client, b'"%s"' % (b"x" * size))
            await worker.presence.add(f"channel{number % 7}", client, info)
        process.kill()
        process.start()
        await restored(worker)
        stats = [await worker.presence.presence_stats(f"channel{number}") for number in range(7)]
        assert sum(clients for clients, _ in stats) == count


async def test_a_connection_lost_while_presence_is_restored_is_retried(folder, monkeypatch):
    monkeypatch.setattr(client_module, "MAX_UNANSWERED", 10)
    path, wired = str(folder / "engine"), str(folder / "wire")
    async with engine_at(path), Wire(wired, path) as wire, working(wired) as worker:
        for number in range(100):
            await worker.presence.add("news", f"c{number}", ALICE)
        for count in (200, 1_000, 2_000):
            wire.cut_after("out", count)
            await wire.cut()
            await restored(worker, worker.events.restored + 1)
            assert (await worker.presence.presence_stats("news"))[0] == 100


async def test_calls_wait_for_a_starting_engine(process):
    async with working(process.path) as worker:
        process.kill()

        async def lost() -> bool:
            return bool(worker.broker.outage)

        await until(lost)
        calls = asyncio.gather(*(worker.broker.publish("news", b"1", KEEP) for _ in range(3)))
        process.start()
        offsets = sorted(published.offset for published in await calls)
        assert offsets == [1, 2, 3]


@pytest.mark.usefixtures("short_timeouts")
async def test_calls_to_a_paused_engine_time_out_without_loss_or_duplicates(process):
    async with working(process.path) as worker:
        await worker.broker.subscribe("news")
        first = (await worker.broker.publish("news", b"1", KEEP)).position
        process.freeze()
        began = time.monotonic()
        with pytest.raises(EngineUnavailable):
            await worker.broker.publish("news", b"2", ASK)
        assert time.monotonic() - began < 10
        with pytest.raises(EngineUnavailable):  # the attempt to come back fails as well
            await worker.broker.history("news")
        process.thaw()
        await restored(worker)
        history = await worker.broker.history("news")
        assert history.top.epoch == first.epoch
        await delivered_again(worker)
        offsets = [each.publication.offset for each in worker.events.delivered]
        assert offsets == sorted(set(offsets))


async def test_a_short_pause_is_no_outage(process):
    async with working(process.path) as worker:
        process.freeze()
        publishing = asyncio.ensure_future(worker.broker.publish("news", b"1", KEEP))
        await asyncio.sleep(0.5)
        process.thaw()
        assert (await publishing).offset == 1
        assert worker.events.restored == 0


async def test_many_channels_and_presence_entries_are_restored(process):
    async with working(process.path) as worker:
        channels = [f"news:{number}" for number in range(2_000)]
        await asyncio.gather(*map(worker.broker.subscribe, channels))
        await asyncio.gather(*(worker.presence.add(each, "c1", ALICE) for each in channels))
        await asyncio.gather(*map(worker.broker.unsubscribe, channels[:10]))
        await asyncio.gather(*(worker.presence.remove(each, "c1", "alice") for each in channels[:10]))
        process.kill()
        process.start()
        await restored(worker)
        for channel in channels:
            await worker.broker.publish(channel, b"1", KEEP)
        assert [each.channel for each in worker.events.delivered] == channels[10:]
        stats = await asyncio.gather(*map(worker.presence.presence_stats, channels))
        assert stats == [(0, 0)] * 10 + [(1, 1)] * 1_990


async def test_entries_removed_during_an_outage_are_not_restored(process):
    async with working(process.path) as worker:
        await worker.broker.subscribe("gone")
        await worker.broker.subscribe("news")
        await worker.presence.add("news", "c1", ALICE)
        process.kill()

        async def lost() -> bool:
            return bool(worker.broker.outage)

        await until(lost)
        await worker.broker.unsubscribe("gone")
        leaving = asyncio.ensure_future(worker.presence.remove("news", "c1", "alice"))
        process.start()
        await asyncio.gather(leaving, return_exceptions=True)
        await restored(worker)
        assert await worker.presence.presence("news") == {}
        await worker.broker.publish("gone", b"1", KEEP)
        await worker.broker.publish("news", b"1", KEEP)
        assert [each.channel for each in worker.events.delivered] == ["news"]


# ------------------------------------------------------------------------------------------------------ cuts


@asynccontextmanager
async def behind_wire(folder: Path, node: str = "me") -> AsyncIterator[tuple[Worker, Wire]]:
    async with (
        engine_within() as path,
        Wire(str(folder / "wire"), path) as wire,
        working(wire.path, node) as worker,
    ):
        yield worker, wire


@pytest.mark.parametrize("direction", ["out", "back"])
@pytest.mark.parametrize("count", [1, 3, 4, 5, 9, 30, 100])
async def test_a_connection_cut_within_a_frame_is_an_outage(folder, direction, count):
    async with behind_wire(folder) as (worker, wire):
        await worker.broker.subscribe("news")
        await worker.broker.publish("news", b"1", KEEP)
        wire.cut_after(direction, count)
        calls = [worker.broker.publish("news", b"x" * 50, ASK) for _ in range(10)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(results[-1], EngineUnavailable)
        await restored(worker)
        await delivered_again(worker)
        offsets = [each.publication.offset for each in worker.events.delivered]
        assert offsets == sorted(set(offsets))


async def test_a_reconnected_worker_is_notified_of_its_channels(folder, monkeypatch):
    monkeypatch.setattr(engine_connection, "KEEPALIVE_SECONDS", 1000.0)  # or it would look by itself now and then
    async with behind_wire(folder) as (worker, wire), working(str(folder / "wire"), "other") as other:
        await worker.broker.subscribe("news")
        await wire.cut()
        await restored(worker)
        await restored(other)
        for count, options in enumerate((NO_STREAM, KEEP), 1):
            await other.broker.publish("news", b"1", options)
            await worker.events.deliveries(count)


async def test_a_cancelled_call_does_not_affect_others(engine):
    async with working(engine) as worker:
        given_up = [asyncio.ensure_future(worker.broker.publish("news", b"1", KEEP)) for _ in range(3)]
        given_up.append(asyncio.ensure_future(worker.broker.subscribe("other")))
        others = [asyncio.ensure_future(worker.broker.publish("news", b"1", KEEP)) for _ in range(3)]
        await asyncio.sleep(0)
        for task in given_up:
            task.cancel()
        await asyncio.gather(*others)
        await asyncio.gather(*given_up, return_exceptions=True)
        assert (await worker.broker.publish("news", b"1", KEEP)).offset == 7


async def test_long_deliveries_yield_to_the_event_loop(engine):
    async with working(engine) as worker:
        await worker.broker.subscribe("news")
        order: list[str] = []

        def deliver_slowly(*_: object, **__: object) -> None:
            time.sleep(0.001)
            order.append("message")

        worker.events.on_publication = deliver_slowly  # type: ignore[method-assign]
        publishing = asyncio.gather(*(worker.broker.publish("news", b"1", PublishOptions()) for _ in range(300)))
        while order.count("message") < 300:
            await asyncio.sleep(0)
            order.append("turn")
        await publishing
        within = order[order.index("message") :]
        assert within.count("turn") > 5


# ------------------------------------------------------------------------------------------------------ at random


class Follower:
    """A positioned subscriber of one channel: recovers from the stream when it may have missed publications."""

    def __init__(self, path: str, node: str) -> None:
        self.seen: dict[str, list[int]] = {}
        self.unrecovered = 0
        self._offset = 0
        self._epoch = ""
        self._astray = asyncio.Event()
        self._early: list[tuple[str, int]] | None = []
        self.broker = SharedBroker(EngineClient(path, node), self)

    def on_publication(self, _channel: str, publication: Publication, epoch: str, **_: object) -> None:
        if self._early is not None:
            self._early.append((epoch, publication.offset))
        elif not self._take(epoch, publication.offset):
            self.on_restored()

    def on_join(self, *_: object) -> None: ...

    def on_leave(self, *_: object) -> None: ...

    def on_publication_pending(self) -> None:
        pass

    def on_restored(self) -> None:
        """Buffer publications until the stream has been read."""
        if self._early is None:
            self._early = []
        self._astray.set()

    def _take(self, epoch: str, offset: int) -> bool:
        if epoch == self._epoch and offset <= self._offset:
            return True
        if epoch != self._epoch or offset != self._offset + 1:
            return False
        self._offset = offset
        self.seen.setdefault(epoch, []).append(offset)
        return True

    async def follow(self) -> None:
        """Subscribe once; the client restores the subscription."""
        self._astray.set()
        subscribed = False
        while True:
            await self._astray.wait()
            self._astray.clear()
            try:
                if not subscribed:
                    await self.broker.subscribe("news")
                    subscribed = True
                await self._recover()
            except EngineUnavailable:
                await asyncio.sleep(0.001)
                self._astray.set()

    async def _recover(self) -> None:
        since = StreamPosition(self._offset, self._epoch) if self._epoch else None
        history = await self.broker.history("news", since=since)
        if self._epoch != history.top.epoch:
            self.unrecovered += bool(self._epoch)
            self._epoch, self._offset = history.top.epoch, 0
            history = await self.broker.history("news")
        for publication in history.publications:
            self._take(history.top.epoch, publication.offset)
        early, self._early = self._early or [], None
        if not all(self._take(*each) for each in early):
            self.on_restored()


async def publish(broker: SharedBroker, acknowledged: set[tuple[str, int]], chance: random.Random) -> None:
    """Publish until cancelled, several at once."""
    while True:
        calls = [broker.publish("news", b"x" * chance.randrange(200), KEEP) for _ in range(chance.randrange(1, 9))]
        for published in await asyncio.gather(*calls, return_exceptions=True):
            if not isinstance(published, BaseException):
                acknowledged.add((published.epoch, published.offset))
            elif not isinstance(published, EngineUnavailable):
                raise published
        await asyncio.sleep(chance.choice((0, 0, 0.001)))


@pytest.mark.parametrize("seed", [pytest.param(random.randrange(10**6), id=f"run-{run}") for run in range(6)])
async def test_random_cuts_cause_no_loss_and_no_duplicates(folder, seed, monkeypatch):
    print(f"seed {seed}")
    monkeypatch.setattr("fanjet.engines.memory_server.engine_client.RETRY_SECONDS", 0.002)
    monkeypatch.setattr("fanjet.engines.memory_server.engine_client.MAX_RETRY_SECONDS", 0.01)
    chance = random.Random(seed)
    acknowledged: set[tuple[str, int]] = set()
    path = str(folder / "engine")
    async with AsyncExitStack() as all_of_it:
        engine = await all_of_it.enter_async_context(AsyncExitStack())
        await engine.enter_async_context(engine_at(path))
        wires = [await all_of_it.enter_async_context(Wire(str(folder / f"wire{n}"), path)) for n in range(3)]
        followers = [Follower(wires[n].path, f"follower{n}") for n in range(2)]
        client = EngineClient(wires[2].path, "publisher")
        publisher = SharedBroker(client, followers[0])
        client.events = None
        for broker in (publisher, *(follower.broker for follower in followers)):
            await broker.start()
            all_of_it.push_async_callback(broker.close)
        tasks = [asyncio.ensure_future(follower.follow()) for follower in followers]
        publishing = asyncio.ensure_future(publish(publisher, acknowledged, chance))
        for _ in range(200):
            what = chance.random()
            if what < 0.04:
                for wire in wires:
                    await wire.break_off()
                await asyncio.sleep(0.005)  # asyncio cannot stop listening while it accepts
                await engine.aclose()
                await engine.enter_async_context(engine_at(path))
                for wire in wires:
                    wire.restore()
            elif what < 0.7:
                direction = chance.choice(("out", "back"))
                chance.choice(wires).cut_after(direction, chance.randrange(1, 4_000))
            elif what < 0.85:
                await chance.choice(wires).cut()
            await asyncio.sleep(chance.random() * 0.01)
            assert not publishing.done(), publishing.exception()
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        for wire in wires:
            wire.restore()

        async def at_the_top() -> bool:
            try:
                top = (await publisher.history("news", limit=0)).top
            except EngineUnavailable:
                return False
            return all(each.seen.get(top.epoch, [0])[-1] == top.offset for each in followers if top.offset)

        await until(at_the_top, SLOW)
        last = (await publisher.history("news", limit=0)).top.epoch
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert len(acknowledged) > 200
    for follower in followers:
        for epoch, offsets in follower.seen.items():
            assert offsets == list(range(1, len(offsets) + 1)), epoch
        missed = {each for each in acknowledged if each[1] not in follower.seen.get(each[0], ())}
        assert all(epoch != last for epoch, _ in missed)
        assert follower.unrecovered >= bool(missed)


# ------------------------------------------------------------------------------------------------------ the journal


async def test_a_stopped_lock_holder_delays_others_without_loss(engine):
    async with working(engine, "a") as a, working(engine, "b") as b:
        for each in (a, b):
            await each.broker.subscribe("news")
        with connect_raw(engine) as raw:
            raw.setblocking(False)
            descriptor = await receive_descriptor(raw)
        with holding_lock(descriptor) as holder:
            os.close(descriptor)
            holder.send_signal(signal.SIGSTOP)
            await a.broker.publish("news", b"1", NO_STREAM)
            kept = asyncio.ensure_future(a.broker.publish("news", b"2", KEEP))
            await b.broker.publish("news", b"3", NO_STREAM)
            await asyncio.sleep(0.1)
            assert not kept.done()
            assert a.events.delivered == b.events.delivered == []
        await kept
        payloads = [[each.publication.data for each in await worker.events.deliveries(3)] for worker in (a, b)]
        assert payloads[0] == payloads[1]
        assert payloads[0].index(b"1") < payloads[0].index(b"2")
