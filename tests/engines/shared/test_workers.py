"""What workers have of each other through the engine."""

from __future__ import annotations

from fanjet.engines.interfaces import PublishOptions
from fanjet.protocol.publication import ClientInfo
from tests.engines.shared.conftest import Worker, working
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


async def test_who_has_subscribed_gets_what_others_publish(engine):
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


async def test_a_publisher_has_its_message_before_the_answer(engine):
    async with working(engine) as worker:
        await worker.broker.subscribe("news")
        for number in range(1, 100):
            await worker.broker.publish("news", b"1", KEEP)
            assert len(worker.events.delivered) == number


async def test_who_has_unsubscribed_gets_no_more(engine):
    async with working(engine) as worker:
        await worker.broker.subscribe("news")
        await worker.broker.unsubscribe("news")
        await worker.broker.unsubscribe("never")
        await worker.broker.publish("news", b"1", KEEP)
        assert worker.events.delivered == []


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


async def test_the_others_hear_the_last_words_of_a_node(engine):
    async with working(engine, "a") as a:
        async with working(engine, "b", last_words=b"b is gone"):
            pass
        await has_control(a, b"b is gone")


async def test_a_node_that_connects_anew_takes_the_place_of_its_former_connection(engine):
    async with working(engine, "a") as a, working(engine, "b") as former:
        await former.broker.subscribe("news")
        async with working(engine, "b") as b:

            async def is_there_twice_no_more() -> bool:
                return bool(former.link.lost) or former.events.restored > 0

            await until(is_there_twice_no_more)
            # Both try to have it; what is sent to the node arrives once.
            await a.controller.publish_control(b"x", "b")

            async def arrived() -> bool:
                return len(b.control) + len(former.control) == 1

            await until(arrived)


# ------------------------------------------------------------------------------------------------------ presence


async def test_presence_is_that_of_all_workers(engine):
    async with working(engine, "a") as a, working(engine, "b") as b:
        await a.presence.add("news", "c1", ALICE)
        await b.presence.add("news", "c2", BOB)
        for worker in (a, b):
            assert await worker.presence.presence("news") == {"c1": ALICE, "c2": BOB}
            assert await worker.presence.presence_stats("news") == (2, 2)
        await a.presence.remove("news", "c1", "alice")
        assert await b.presence.presence("news") == {"c2": BOB}


async def test_entries_of_a_worker_go_with_it(engine):
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
