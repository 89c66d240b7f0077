"""Behaviour of every broker, with or without history (07 §1.2)."""

from fanjet.engines.interfaces import PublishOptions
from fanjet.protocol.publication import ClientInfo

ALICE = ClientInfo("alice", "c1", b'{"name":"Alice"}', b"{}")


async def test_a_publication_has_the_published_fields(any_broker, events):
    published = await any_broker.publish("news", b'{"a": 1.50}', PublishOptions(info=ALICE, tags={"lvl": "1"}))
    [delivered] = await events.deliveries(1)
    publication = delivered.publication
    assert (delivered.channel, delivered.epoch, published.position.offset, publication.offset) == ("news", "", 0, 0)
    assert (publication.data, publication.info, publication.tags) == (b'{"a": 1.50}', ALICE, {"lvl": "1"})
    assert publication.time > 0
    assert not delivered.use_delta


async def test_the_delta_flag_is_delivered(any_broker, events):
    await any_broker.publish("news", b"1", PublishOptions(use_delta=True))
    [delivered] = await events.deliveries(1)
    assert delivered.use_delta
    assert delivered.previous is None


async def test_sequential_publications_arrive_in_order(any_broker, events):
    for number in range(50):
        await any_broker.publish("news", b"%d" % number, PublishOptions())
    assert [int(delivered.publication.data) for delivered in await events.deliveries(50)] == list(range(50))


async def test_channels_are_kept_apart(any_broker, events):
    await any_broker.publish("other", b"1", PublishOptions())
    await any_broker.publish("news", b"2", PublishOptions())
    delivered = {each.channel: each.publication.data for each in await events.deliveries(2)}
    assert delivered == {"other": b"1", "news": b"2"}


async def test_joins_and_leaves_arrive_in_order(any_broker, events):
    await any_broker.publish_join("news", ALICE)
    await any_broker.publish_leave("news", ALICE)
    assert await events.joins_and_leaves(2) == [("join", "news", ALICE), ("leave", "news", ALICE)]


async def test_subscribing_twice_delivers_once(any_broker, events):
    await any_broker.subscribe("news")
    await any_broker.publish("news", b"1", PublishOptions())
    await events.deliveries(1)
    await any_broker.unsubscribe("news")
    await any_broker.unsubscribe("news")
    await any_broker.subscribe("news")
    await any_broker.publish("news", b"2", PublishOptions())
    assert [delivered.publication.data for delivered in await events.deliveries(2)] == [b"1", b"2"]
