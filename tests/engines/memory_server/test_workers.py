"""Events, control messages and presence between workers of one engine."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from msgspec.structs import replace

from fanjet.engines.interfaces import Published, PublishOptions
from fanjet.engines.memory_server import engine_connection
from fanjet.engines.memory_server.reader_table import bucket_of
from fanjet.protocol.publication import ClientInfo
from tests.engines.memory_server.conftest import Worker, working
from tests.support.waiting import until

KEEP = PublishOptions(history_size=10, history_ttl=300)
ALICE = ClientInfo("alice", "c1", b"{}", b"")
BOB = ClientInfo("bob", "c2")


async def has_control(worker: Worker, *messages: bytes) -> None:
    async def arrived() -> bool:
        return len(worker.control) >= len(messages)

    await until(arrived)
    assert worker.control == list(messages)


# ------------------------------------------------------------------------------------------------------ messages


async def test_subscribers_receive_publications_of_other_workers(engine):
    async with working(engine, "a") as a, working(engine, "b") as b, working(engine, "c") as c:
        await a.broker.subscribe("news")
        await b.broker.subscribe("news")
        await c.broker.subscribe("other")
        position = (await c.broker.publish("news", b"1", KEEP)).position
        await c.broker.publish_join("news", ALICE)
        await c.broker.publish_leave("news", ALICE)
        for worker in (a, b):
            [delivered] = await worker.events.deliveries(1)
            assert (delivered.publication.offset, delivered.epoch) == (position.offset, position.epoch)
            assert await worker.events.joins_and_leaves(2) == [("join", "news", ALICE), ("leave", "news", ALICE)]
        await c.broker.publish("other", b"mark", KEEP)
        assert [each.channel for each in await c.events.deliveries(1)] == ["other"]


async def test_a_publisher_receives_its_message_before_the_reply(engine):
    async with working(engine) as worker:
        await worker.broker.subscribe("news")
        for number in range(1, 100):
            await worker.broker.publish("news", b"1", DELTA)
            assert len(worker.events.delivered) == number


async def test_unsubscribed_channels_are_not_delivered(engine):
    async with working(engine) as worker:
        await worker.broker.subscribe("news")
        await worker.broker.unsubscribe("news")
        await worker.broker.unsubscribe("never")
        await worker.broker.publish("news", b"1", KEEP)
        assert worker.events.delivered == []


@pytest.fixture
def notified_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers read the journal only when they are notified."""
    monkeypatch.setattr(engine_connection, "KEEPALIVE_SECONDS", 1000.0)


@pytest.mark.usefixtures("notified_only")
@pytest.mark.parametrize("options", [PublishOptions(), KEEP])
async def test_only_subscribers_are_notified(engine, options):
    alike = [each for each in map("news:{}".format, range(30_000)) if bucket_of(each) == 7]
    assert len(alike) > 1
    async with working(engine, "a") as a, working(engine, "b") as b:
        for channel in alike:
            for _ in range(2):
                await a.broker.subscribe(channel)
        for channel in alike[1:]:
            for _ in range(2):
                await a.broker.unsubscribe(channel)
        for channel in alike:
            await b.broker.publish(channel, b"1", options)
        assert [each.channel for each in await a.events.deliveries(1)] == alike[:1]


@pytest.mark.usefixtures("notified_only")
async def test_events_during_a_long_delivery_are_delivered(engine):
    async with working(engine, "a") as a, working(engine, "b") as b:
        await a.broker.subscribe("news")
        record = a.events.on_publication

        def deliver_slowly(*args: Any, **kwargs: Any) -> None:
            time.sleep(0.001)
            record(*args, **kwargs)
            if len(a.events.delivered) == 20:  # in the second of several turns
                b.broker.publish("news", b"2", PublishOptions())

        a.events.on_publication = deliver_slowly  # type: ignore[method-assign]
        for _ in range(300):
            b.broker.publish("news", b"1", PublishOptions())
        await a.events.deliveries(301)


# ------------------------------------------------------------------------------------------------------ control


async def test_control_messages_for_all_reach_all_others(engine):
    async with working(engine, "a") as a, working(engine, "b") as b, working(engine, "c") as c:
        await a.controller.publish_control(b"hello")
        for worker in (b, c):
            await has_control(worker, b"hello")
        assert a.control == []


async def test_a_control_message_for_one_node_reaches_it_alone(engine):
    async with working(engine, "a") as a, working(engine, "b") as b, working(engine, "c") as c:
        await a.controller.publish_control(b"psst", "b")
        await a.controller.publish_control(b"nobody", "d")
        await has_control(b, b"psst")
        await a.controller.publish_control(b"all")
        await has_control(c, b"all")


async def test_the_last_will_of_a_node_reaches_the_others(engine):
    async with working(engine, "a") as a:
        async with working(engine, "b", last_will=b"b is gone"):
            pass
        await has_control(a, b"b is gone")


async def test_a_new_connection_of_a_node_replaces_the_former_one(engine):
    async with working(engine, "a") as a, working(engine, "b") as former:
        await former.broker.subscribe("news")
        async with working(engine, "b") as b:

            async def is_there_twice_no_more() -> bool:
                return bool(former.client.outage) or former.events.restored > 0

            await until(is_there_twice_no_more)
            # Both try to have it; what is sent to the node arrives once.
            await a.controller.publish_control(b"x", "b")

            async def arrived() -> bool:
                return len(b.control) + len(former.control) == 1

            await until(arrived)


# ------------------------------------------------------------------------------------------------------ presence


async def test_presence_includes_all_workers(engine):
    async with working(engine, "a") as a, working(engine, "b") as b:
        await a.presence.add("news", "c1", ALICE)
        await b.presence.add("news", "c2", BOB)
        for worker in (a, b):
            assert await worker.presence.presence("news") == {"c1": ALICE, "c2": BOB}
            assert await worker.presence.presence_stats("news") == (2, 2)
        await a.presence.remove("news", "c1", "alice")
        assert await b.presence.presence("news") == {"c2": BOB}


async def test_presence_entries_are_removed_with_their_worker(engine):
    async with working(engine, "a") as a:
        await a.presence.add("news", "c1", ALICE)
        async with working(engine, "b") as b:
            await b.presence.add("news", "c2", BOB)
            await b.presence.add("news", "c3", BOB)
            await b.presence.remove("news", "c3", "bob")
            assert await a.presence.presence("news") == {"c1": ALICE, "c2": BOB}

        async def only_alice() -> bool:
            return await a.presence.presence("news") == {"c1": ALICE}

        await until(only_alice)


# ------------------------------------------------------------------------------------------------------ what comes when

DELTA = PublishOptions(history_size=10, history_ttl=300, use_delta=True)
NO_STREAM = PublishOptions()


def seen(worker: Worker) -> list[tuple[bytes, int, str, bool, bytes | None]]:
    """The deliveries without their time, which the publisher or the engine has set."""
    return [
        (
            each.publication.data,
            each.publication.offset,
            each.publication.epoch or each.epoch,
            each.use_delta,
            each.previous and each.previous.data,
        )
        for each in worker.events.delivered
    ]


def payloads(worker: Worker) -> list[bytes]:
    return [each.publication.data for each in worker.events.delivered]


async def test_all_workers_see_publications_in_the_same_order(engine):
    async with working(engine, "a") as a, working(engine, "b") as b, working(engine, "c") as c:
        for each in (a, b, c):
            await each.broker.subscribe("news")
        told: dict[bytes, list[bytes]] = {b"a": [], b"b": []}
        calls = []
        for number in range(300):
            for name, each in ((b"a", a), (b"b", b)):
                told[name].append(b"%s%d" % (name, number))
                once = replace(KEEP, idempotency_key=f"{each.client}-{number}")
                options = (NO_STREAM, NO_STREAM, KEEP, DELTA, KEEP, KEEP, once)[number % 7]
                calls.append(each.broker.publish("news", told[name][-1], options))
            if not number % 30:
                await asyncio.sleep(0)
        await asyncio.gather(*calls)
        for each in (a, b, c):
            await each.events.deliveries(600)
        assert seen(a) == seen(b) == seen(c)
        offsets = [each.publication.offset for each in c.events.delivered if each.publication.offset]
        assert offsets == list(range(1, len(offsets) + 1))
        for name, payloads_of in told.items():
            assert [each for each in payloads(c) if each.startswith(name)] == payloads_of


async def test_publications_without_stream_are_delivered_within_the_loop_turn(engine):
    async with working(engine) as mine:
        await mine.broker.subscribe("news")
        for _ in range(2):
            assert mine.broker.publish("news", b"1", NO_STREAM) == Published()
            assert mine.events.pending == 1
        await asyncio.sleep(0)
        assert payloads(mine) == [b"1", b"1"]
        mine.broker.publish("news", b"2", NO_STREAM)
        await mine.broker.publish("other", b"3", KEEP)
        assert payloads(mine) == [b"1", b"1", b"2"]
        assert mine.events.pending == 2


@pytest.mark.parametrize("options", [KEEP, DELTA, PublishOptions(idempotency_key="k")])
async def test_a_publisher_receives_its_message_once_and_before_the_reply(engine, options):
    async with working(engine) as mine:
        await mine.broker.subscribe("news")
        for count in (1, 2):
            published = await mine.broker.publish("news", b"%d" % count, replace(options, version=count))
            if published.suppressed:
                assert payloads(mine) == [b"1"]
                break
            assert [each[:2] for each in seen(mine)][count - 1 :] == [(b"%d" % count, published.offset)]
        await mine.broker.unsubscribe("news")
        await mine.broker.publish("news", b"3", KEEP)
        assert b"3" not in payloads(mine)


async def test_deltas_come_with_the_previous_publication(engine):
    async with working(engine, "a") as a, working(engine, "b") as b:
        await a.broker.subscribe("news")
        await b.broker.publish("news", b"1", DELTA)
        await a.broker.publish("news", b"2", DELTA)
        assert [each.previous and each.previous.data for each in await a.events.deliveries(2)] == [None, b"1"]


async def test_joins_and_publications_of_one_worker_keep_their_order(engine):
    async with working(engine) as mine:
        await mine.broker.subscribe("news")
        order: list[str] = []
        mine.events.on_publication = lambda *_, **__: order.append("publication")
        mine.events.on_join = lambda *_: order.append("join")

        async def act(number: int) -> None:
            if number % 2:
                await mine.broker.publish_join("news", ALICE)
            else:
                await mine.broker.publish("news", b"1", NO_STREAM)

        await asyncio.gather(*map(act, range(4)))
        assert order == ["publication", "join", "publication", "join"]


async def test_a_cancelled_publish_reaches_subscribers(engine):
    async with working(engine) as mine:
        await mine.broker.subscribe("news")
        publishing = asyncio.ensure_future(mine.broker.publish("news", b"1", NO_STREAM))
        await asyncio.sleep(0)
        publishing.cancel()
        await mine.broker.publish("other", b"2", NO_STREAM)
        assert payloads(mine) == [b"1"]


async def test_long_publications_arrive_complete_and_in_order(engine):
    sent = [bytes([number]) * size for number, size in enumerate((10, 300_000, 10, 2_000_000, 70_000, 10))]
    async with working(engine, "a") as a, working(engine, "b") as b:
        for each in (a, b):
            await each.broker.subscribe("news")
        await asyncio.gather(
            *(a.broker.publish("news", data, options) for data in sent for options in (NO_STREAM, KEEP))
        )
        await b.events.deliveries(2 * len(sent))
        assert payloads(a) == payloads(b) == [data for data in sent for _ in range(2)]
