"""Behaviour of every broker with history, through its interface (07 §1.2, §2, §3.3, §3.4)."""

import asyncio

import pytest
from msgspec.structs import replace

from fanjet.engines.interfaces import Broker, PublishOptions
from fanjet.engines.redis import RedisBroker
from fanjet.protocol.publication import NO_POSITION, ClientInfo, StreamPosition

KEEP = PublishOptions(history_size=10, history_ttl=300)
ALICE = ClientInfo("alice", "c1", b'{"name":"Alice"}', b"")


async def fill(broker: Broker, count: int, *, size: int = 10, channel: str = "news") -> str:
    """Publish `1`, `2`, ... and return the stream's epoch."""
    options = replace(KEEP, history_size=size)
    published = [await broker.publish(channel, str(n).encode(), options) for n in range(1, count + 1)]
    return published[-1].position.epoch


async def offsets(broker: Broker, **how) -> list[int]:
    return [publication.offset for publication in (await broker.history("news", **how)).publications]


# ------------------------------------------------------------------------------------------------------ publish


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(PublishOptions(), id="no-history"),
        pytest.param(PublishOptions(history_size=10), id="size-without-ttl"),
        pytest.param(PublishOptions(history_ttl=10), id="ttl-without-size"),
    ],
)
async def test_a_publication_without_history_has_no_position(broker, events, options):
    published = await broker.publish("news", b"{}", options)
    assert published.position == NO_POSITION
    assert published.suppressed == ""
    [delivered] = await events.deliveries(1)
    assert delivered.publication.offset == 0
    assert delivered.epoch == ""
    assert delivered.previous is None
    assert (await broker.history("news")).publications == []


async def test_offsets_start_at_one_and_grow_by_one(broker, events):
    positions = [(await broker.publish("news", b"{}", KEEP)).position for _ in range(3)]
    assert [position.offset for position in positions] == [1, 2, 3]
    assert len({position.epoch for position in positions}) == 1
    delivered = await events.deliveries(3)
    assert [d.publication.offset for d in delivered] == [1, 2, 3]
    assert {d.epoch for d in delivered} == {positions[0].epoch}
    assert [d.publication.epoch for d in delivered] == [positions[0].epoch, "", ""]


async def test_an_epoch_is_eight_letters(broker):
    epoch = await fill(broker, 1)
    assert len(epoch) == 8
    assert epoch.isascii()
    assert epoch.isalpha()


async def test_each_channel_has_its_own_stream(broker):
    first = await fill(broker, 2)
    second = await fill(broker, 1, channel="other")
    assert first != second
    assert (await broker.history("other")).top == StreamPosition(1, second)


@pytest.mark.usefixtures("needs_one_step")
async def test_a_publication_has_all_published_fields(broker, events):
    options = replace(KEEP, info=ALICE, tags={"lvl": "1"}, version=7)
    await broker.publish("news", b'{"a": 1.50}', options)
    [delivered] = await events.deliveries(1)
    [stored] = (await broker.history("news")).publications
    for publication in (delivered.publication, stored):
        assert publication.data == b'{"a": 1.50}'
        assert publication.info == ALICE
        assert publication.tags == {"lvl": "1"}
        assert publication.version == 7
        assert publication.time > 0
    assert delivered.channel == "news"


@pytest.mark.usefixtures("needs_one_step")
async def test_concurrent_publishes_are_delivered_in_offset_order(broker, events):
    await asyncio.gather(*(broker.publish("news", b"{}", KEEP) for _ in range(50)))
    delivered = await events.deliveries(50)
    assert [d.publication.offset for d in delivered] == list(range(1, 51))


async def test_a_publication_without_history_does_not_change_the_stream(broker, events):
    epoch = await fill(broker, 2)
    await broker.publish("news", b'"aside"', PublishOptions())
    assert (await broker.history("news", limit=0)).top == StreamPosition(2, epoch)
    assert (await events.deliveries(3))[2].publication.offset == 0


# ------------------------------------------------------------------------------------------------------ delta


@pytest.mark.usefixtures("needs_one_step")
async def test_a_delta_publication_comes_with_the_previous_one(broker, events):
    await fill(broker, 1)
    await broker.publish("news", b"2", replace(KEEP, use_delta=True))
    first, second = await events.deliveries(2)
    assert not first.use_delta
    assert first.previous is None
    assert second.use_delta
    assert second.previous is not None
    assert second.previous.data == b"1"


async def test_the_first_delta_publication_has_no_previous_one(broker, events):
    await broker.publish("news", b"1", replace(KEEP, use_delta=True))
    [delivered] = await events.deliveries(1)
    assert delivered.use_delta
    assert delivered.previous is None


async def test_a_delta_publication_after_removal_has_no_previous_one(broker, events):
    await fill(broker, 1)
    await broker.remove_history("news")
    await broker.publish("news", b"2", replace(KEEP, use_delta=True))
    assert (await events.deliveries(2))[1].previous is None


# ------------------------------------------------------------------------------------------------------ idempotency


async def test_a_repeated_key_changes_nothing_and_returns_the_first_position(broker, events):
    options = replace(KEEP, idempotency_key="k")
    first = await broker.publish("news", b"1", options)
    again = await broker.publish("news", b"2", options)
    assert again.position == first.position
    assert again.suppressed == "idempotency"
    await broker.publish("news", b"3", KEEP)
    assert [d.publication.data for d in await events.deliveries(2)] == [b"1", b"3"]
    assert await offsets(broker) == [1, 2]


async def test_a_key_is_per_channel(broker, events):
    options = replace(KEEP, idempotency_key="k")
    await broker.publish("news", b"1", options)
    assert (await broker.publish("other", b"1", options)).suppressed == ""
    await events.deliveries(2)


async def test_a_repeat_without_history_has_no_position(broker, events):
    options = PublishOptions(idempotency_key="k")
    await broker.publish("news", b"1", options)
    again = await broker.publish("news", b"1", options)
    assert again.position == NO_POSITION
    assert again.suppressed == ("" if isinstance(broker, RedisBroker) else "idempotency")  # 07 §6.1
    await broker.publish("news", b"2", PublishOptions())
    assert [d.publication.data for d in await events.deliveries(2)] == [b"1", b"2"]


async def test_a_repeat_with_history_after_one_without_has_no_position(broker):
    await broker.publish("news", b"1", PublishOptions(idempotency_key="k"))
    assert (await broker.publish("news", b"1", replace(KEEP, idempotency_key="k"))).position == NO_POSITION


# ------------------------------------------------------------------------------------------------------ versions


@pytest.mark.usefixtures("needs_streams")
@pytest.mark.parametrize(
    ("earlier", "version", "version_epoch", "suppressed"),
    [
        pytest.param((5, ""), 5, "", True, id="same-version"),
        pytest.param((5, ""), 4, "", True, id="older-version"),
        pytest.param((5, ""), 6, "", False, id="newer-version"),
        pytest.param((5, "a"), 5, "a", True, id="same-version-epoch"),
        pytest.param((5, "a"), 5, "", True, id="no-version-epoch-matches-any"),
        pytest.param((5, "a"), 4, "b", False, id="other-version-epoch"),
        pytest.param((5, ""), 4, "b", False, id="version-epoch-where-there-was-none"),
        pytest.param((5, ""), 0, "", False, id="unversioned"),
        pytest.param(None, 1, "a", False, id="first"),
    ],
)
async def test_versions(broker, events, earlier, version, version_epoch, suppressed):
    sent = 0
    if earlier is not None:
        await broker.publish("news", b"1", replace(KEEP, version=earlier[0], version_epoch=earlier[1]))
        sent = 1
    published = await broker.publish("news", b"2", replace(KEEP, version=version, version_epoch=version_epoch))
    assert published.suppressed == ("version" if suppressed else "")
    assert published.position.offset == (1 if suppressed else sent + 1)
    await broker.publish("other", b"mark", PublishOptions())
    assert len(await events.deliveries(sent + 2 - suppressed)) == sent + 2 - suppressed


@pytest.mark.usefixtures("needs_streams")
async def test_a_new_version_epoch_becomes_the_baseline(broker):
    await broker.publish("news", b"1", replace(KEEP, version=5, version_epoch="a"))
    await broker.publish("news", b"2", replace(KEEP, version=2, version_epoch="b"))
    assert (await broker.publish("news", b"3", replace(KEEP, version=2, version_epoch="b"))).suppressed == "version"
    assert (await broker.publish("news", b"3", replace(KEEP, version=1, version_epoch="a"))).suppressed == ""


@pytest.mark.usefixtures("needs_streams")
async def test_a_suppressed_version_returns_the_top_and_stores_no_idempotency_result(broker):
    await broker.publish("news", b"1", replace(KEEP, version=5))
    await broker.publish("news", b"2", replace(KEEP, version=6))
    stale = await broker.publish("news", b"3", replace(KEEP, version=5, idempotency_key="k"))
    assert stale.position.offset == 2
    assert (await broker.publish("news", b"4", replace(KEEP, version=7, idempotency_key="k"))).suppressed == ""


async def test_the_idempotency_key_is_checked_before_the_version(broker):
    options = replace(KEEP, version=5, idempotency_key="k")
    await broker.publish("news", b"1", options)
    assert (await broker.publish("news", b"1", options)).suppressed == "idempotency"


@pytest.mark.usefixtures("needs_one_step")
async def test_versions_are_ignored_without_history(broker, events):
    await broker.publish("news", b"1", replace(KEEP, version=5))
    assert (await broker.publish("news", b"2", PublishOptions(version=5))).suppressed == ""
    assert (await events.deliveries(2))[1].publication.version == 5


@pytest.mark.usefixtures("needs_streams")
async def test_removal_keeps_the_version_baseline(broker):
    await broker.publish("news", b"1", replace(KEEP, version=5))
    await broker.remove_history("news")
    assert (await broker.publish("news", b"2", replace(KEEP, version=5))).suppressed == "version"


# ------------------------------------------------------------------------------------------------------ history


async def test_the_newest_are_kept(broker):
    epoch = await fill(broker, 3, size=2)
    history = await broker.history("news")
    assert [p.offset for p in history.publications] == [2, 3]
    assert history.top == StreamPosition(3, epoch)


async def test_a_smaller_size_trims_the_history(broker):
    await fill(broker, 5)
    await broker.publish("news", b"6", replace(KEEP, history_size=2))
    assert await offsets(broker) == [5, 6]


async def test_reading_an_unused_channel_creates_its_stream(broker):
    first = await broker.history("news")
    assert first.publications == []
    assert first.top.offset == 0
    assert len(first.top.epoch) == 8
    assert (await broker.history("news", limit=0)).top == first.top
    assert (await broker.publish("news", b"1", KEEP)).position == StreamPosition(1, first.top.epoch)


@pytest.mark.parametrize(
    ("since", "limit", "expected"),
    [
        pytest.param(None, -1, [3, 4, 5, 6], id="all"),
        pytest.param(None, 0, [], id="position-only"),
        pytest.param(None, 2, [3, 4], id="oldest"),
        pytest.param(None, 99, [3, 4, 5, 6], id="limit-beyond-length"),
        pytest.param(4, -1, [5, 6], id="since"),
        pytest.param(4, 1, [5], id="since-limited"),
        pytest.param(4, 0, [], id="since-position-only"),
        pytest.param(2, -1, [3, 4, 5, 6], id="since-the-last-one-gone"),
        pytest.param(0, -1, [3, 4, 5, 6], id="since-trimmed-begins-at-the-oldest"),
        pytest.param(1, 2, [3, 4], id="since-trimmed-limited"),
        pytest.param(6, -1, [], id="since-top"),
        pytest.param(7, -1, [], id="since-beyond-top"),
    ],
)
async def test_history_reads(broker, since, limit, expected):
    epoch = await fill(broker, 6, size=4)
    position = None if since is None else StreamPosition(since, epoch)
    history = await broker.history("news", since=position, limit=limit)
    assert [p.offset for p in history.publications] == expected
    assert history.top == StreamPosition(6, epoch)


@pytest.mark.usefixtures("needs_streams")
@pytest.mark.parametrize(
    ("since", "limit", "expected"),
    [
        pytest.param(None, -1, [6, 5, 4, 3], id="all"),
        pytest.param(None, 1, [6], id="newest"),
        pytest.param(5, -1, [4, 3], id="before"),
        pytest.param(5, 1, [4], id="before-limited"),
        pytest.param(7, -1, [6, 5, 4, 3], id="before-one-past-top"),
        pytest.param(3, -1, [], id="before-the-oldest"),
        pytest.param(1, -1, [], id="before-the-first"),
        pytest.param(5, 0, [], id="before-position-only"),
    ],
)
async def test_history_reads_backwards(broker, since, limit, expected):
    epoch = await fill(broker, 6, size=4)
    position = None if since is None else StreamPosition(since, epoch)
    history = await broker.history("news", since=position, limit=limit, reverse=True)
    assert [p.offset for p in history.publications] == expected
    assert history.top == StreamPosition(6, epoch)


async def test_the_broker_does_not_compare_epochs(broker):
    await fill(broker, 3)
    assert await offsets(broker, since=StreamPosition(1, "OtherOne")) == [2, 3]
    assert await offsets(broker, since=StreamPosition(1, "")) == [2, 3]
    assert await offsets(broker, since=StreamPosition(3, "OtherOne")) == []


async def test_removal_keeps_offset_and_epoch(broker):
    epoch = await fill(broker, 3)
    await broker.remove_history("news")
    history = await broker.history("news")
    assert history.publications == []
    assert history.top == StreamPosition(3, epoch)
    assert (await broker.publish("news", b"4", KEEP)).position == StreamPosition(4, epoch)
    assert await offsets(broker, since=StreamPosition(1, epoch)) == [4]


async def test_removing_an_unknown_history_does_nothing(broker):
    await broker.remove_history("news")
    assert (await broker.history("news")).top.offset == 0


# ------------------------------------------------------------------------------------------------------ pub/sub


async def test_joins_and_leaves_arrive_in_order_and_are_not_stored(broker, events):
    await broker.publish_join("news", ALICE)
    await broker.publish_leave("news", ALICE)
    assert await events.joins_and_leaves(2) == [("join", "news", ALICE), ("leave", "news", ALICE)]
    assert (await broker.history("news")).publications == []


async def test_subscribing_and_unsubscribing_twice_is_harmless(broker, events):
    await broker.subscribe("news")
    await broker.publish("news", b"1", KEEP)
    assert len(await events.deliveries(1)) == 1
    await broker.unsubscribe("news")
    await broker.unsubscribe("news")
    await broker.subscribe("news")
    await broker.publish("news", b"2", KEEP)
    assert [d.publication.data for d in await events.deliveries(2)] == [b"1", b"2"]
