"""Expiry, version baseline and synchronous calls of the memory broker (07 §3)."""

import pytest
from msgspec.structs import replace

from fanjet.engines.interfaces import PublishOptions
from fanjet.engines.memory import MemoryBroker
from fanjet.protocol.publication import StreamPosition

KEEP = PublishOptions(history_size=10, history_ttl=60, history_meta_ttl=600)


async def stored(engine, channel="news") -> list[int]:
    """Offsets in the stream, read without extending its life beyond a second."""
    return [p.offset for p in (await engine.broker.history(channel, meta_ttl=1)).publications]


async def test_publications_expire_together_after_the_last_one(engine):
    first = await engine.broker.publish("news", b"1", KEEP)
    engine.pass_time(59)
    await engine.broker.publish("news", b"2", KEEP)
    engine.pass_time(59)
    assert len((await engine.broker.history("news")).publications) == 2
    engine.pass_time(1)
    history = await engine.broker.history("news")
    assert history.publications == []
    assert history.top.offset == 2
    assert history.top.epoch == first.position.epoch
    assert (await engine.broker.publish("news", b"3", KEEP)).position.offset == 3


async def test_expired_publications_leave_the_version_baseline(engine):
    await engine.broker.publish("news", b"1", replace(KEEP, version=5))
    engine.pass_time(61)
    assert (await engine.broker.publish("news", b"1", replace(KEEP, version=5))).suppressed == "version"


async def test_expired_data_stays_until_the_next_sweep(engine):
    await engine.broker.publish("news", b"1", KEEP)
    engine.clock.now += 61
    assert len((await engine.broker.history("news")).publications) == 1


async def test_a_suppressed_version_extends_the_ttl(engine):
    await engine.broker.publish("news", b"1", replace(KEEP, version=5))
    engine.pass_time(59)
    assert (await engine.broker.publish("news", b"1", replace(KEEP, version=5))).suppressed == "version"
    engine.pass_time(59)
    assert len((await engine.broker.history("news")).publications) == 1


async def test_a_shorter_ttl_applies_immediately(engine):
    await engine.broker.publish("news", b"1", KEEP)
    await engine.broker.publish("news", b"2", replace(KEEP, history_ttl=5))
    engine.pass_time(5)
    assert (await engine.broker.history("news")).publications == []


async def test_a_stream_ends_after_its_meta_ttl_without_use(engine):
    first = await engine.broker.publish("news", b"1", KEEP)
    engine.pass_time(600)
    again = await engine.broker.publish("news", b"1", KEEP)
    assert again.position.offset == 1
    assert again.position.epoch != first.position.epoch


@pytest.mark.parametrize("limit", [0, -1])
async def test_reads_keep_a_stream_alive(engine, limit):
    first = await engine.broker.publish("news", b"1", KEEP)
    for _ in range(4):
        engine.pass_time(300)
        assert (await engine.broker.history("news", limit=limit, meta_ttl=600)).top == first.position


async def test_a_stream_made_by_a_read_expires_too(engine):
    first = await engine.broker.history("news", meta_ttl=600)
    engine.pass_time(600)
    assert (await engine.broker.history("news", meta_ttl=600)).top.epoch != first.top.epoch


async def test_without_a_meta_ttl_the_configured_one_applies(engine):
    first = await engine.broker.history("news")
    engine.pass_time(999)
    await engine.broker.publish("news", b"1", replace(KEEP, history_meta_ttl=0))
    engine.pass_time(999)
    assert (await engine.broker.history("news", meta_ttl=1)).top.epoch == first.top.epoch
    engine.pass_time(1)
    assert (await engine.broker.history("news")).top.epoch != first.top.epoch


async def test_without_any_meta_ttl_a_stream_does_not_expire(events):
    clock_now = 0.0
    broker = MemoryBroker(events, clock=lambda: clock_now, history_meta_ttl=0)
    first = await broker.publish("news", b"1", replace(KEEP, history_meta_ttl=0))
    clock_now = 1e9
    broker.sweep()
    assert (await broker.history("news")).top == first.position


async def test_an_unversioned_publication_resets_the_version_baseline(engine):
    await engine.broker.publish("news", b"1", replace(KEEP, version=5))
    await engine.broker.publish("news", b"2", KEEP)
    assert (await engine.broker.publish("news", b"3", replace(KEEP, version=1))).suppressed == ""


async def test_an_idempotency_key_works_again_after_300_seconds(engine):
    options = replace(KEEP, idempotency_key="k")
    await engine.broker.publish("news", b"1", options)
    engine.pass_time(200)
    assert (await engine.broker.publish("news", b"1", options)).suppressed == "idempotency"
    engine.pass_time(99)
    assert (await engine.broker.publish("news", b"1", options)).suppressed == "idempotency"
    engine.clock.now += 1
    assert (await engine.broker.publish("news", b"1", options)).suppressed == ""


async def test_publications_are_stamped_with_unix_milliseconds(engine, events):
    engine.clock.now = 1_700_000_000.25
    await engine.broker.publish("news", b"1", KEEP)
    await engine.broker.publish("news", b"1", PublishOptions())
    assert [d.publication.time for d in events.delivered] == [1_700_000_000_250] * 2


async def test_the_epoch_is_stored_with_offset_one_only(engine):
    position = (await engine.broker.publish("news", b"1", KEEP)).position
    await engine.broker.publish("news", b"2", KEEP)
    assert [p.epoch for p in (await engine.broker.history("news")).publications] == [position.epoch, ""]


def test_no_call_waits(engine):
    """Callers step these coroutines eagerly, so none may suspend."""
    broker = engine.broker
    calls = [
        broker.publish("news", b"1", PublishOptions()),
        broker.publish("news", b"1", replace(KEEP, idempotency_key="k", use_delta=True)),
        broker.history("news"),
        broker.remove_history("news"),
        broker.subscribe("news"),
        broker.unsubscribe("news"),
    ]
    for call in calls:
        with pytest.raises(StopIteration):
            next(call.__await__())


async def test_the_first_publication_of_a_stream_has_its_epoch(engine, events):
    positions = [(await engine.broker.publish("news", b"{}", KEEP)).position for _ in range(2)]
    delivered = await events.deliveries(2)
    assert [d.publication.epoch for d in delivered] == [positions[0].epoch, ""]


async def test_a_reverse_read_from_far_beyond_the_top_is_empty(engine):
    epoch = (await engine.broker.publish("news", b"{}", KEEP)).position.epoch
    history = await engine.broker.history("news", since=StreamPosition(3, epoch), reverse=True)
    assert history.publications == []
