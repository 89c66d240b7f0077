"""The outbox of a slow client (01 §5.7, 02 §4.1, DESIGN rule 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fanjet.client.outbox import BYTES_PER_WRITE, MESSAGES_PER_WRITE
from fanjet.node.flusher import MAX_HOT_WAIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.client import Client
    from tests.client.harness import Rig

PING = {"rpc": {"method": "ping"}}


def subscribed(rig: Rig, user: str = "ann") -> Client:
    client = rig.connected(user)
    client.call(subscribe={"channel": "news"})
    return client


async def publish(rig: Rig, *payloads: bytes, channel: str = "news") -> None:
    """Publish one by one, each written before the next."""
    for payload in payloads:
        await rig.publish(channel, payload)
        await rig.settle()
        if rig.node.flusher.dirty:  # so many in a row are written together
            await rig.pass_time(MAX_HOT_WAIT)


async def test_frames_of_one_turn_are_one_write(rig: Rig) -> None:
    client = subscribed(rig)
    before = len(client.transport.writes)
    for number in range(5):
        await rig.publish("news", b"%d" % number)
    assert len(client.transport.writes) == before
    await rig.settle()
    assert len(client.transport.writes) == before + 1
    assert client.data() == [0, 1, 2, 3, 4]


async def test_a_reply_is_written_with_earlier_frames(rig: Rig) -> None:
    client = subscribed(rig)
    await rig.publish("news", b"1")
    client.call(**PING)
    assert [("push" in message) for message in client.messages[-2:]] == [True, False]
    before = len(client.transport.writes)
    await rig.settle()
    assert len(client.transport.writes) == before


async def test_a_blocked_client_gets_nothing_until_it_reads_then_everything_in_order(rig: Rig) -> None:
    client, other = subscribed(rig), subscribed(rig, "bob")
    client.transport.full = True
    await publish(rig, b"0")
    before = len(client.transport.writes)
    await publish(rig, *(b"%d" % number for number in range(1, 41)))
    assert len(client.transport.writes) == before
    assert client.session.backlog_size > 0
    assert other.data() == list(range(41))

    client.transport.drain()
    assert client.data() == list(range(41))
    assert client.session.backlog_size == 0
    await publish(rig, b"41")
    assert client.data() == list(range(42))


async def test_a_backlog_is_written_in_pieces_of_16_short_messages(rig: Rig) -> None:
    client = subscribed(rig)
    client.transport.full = True
    await publish(rig, b"0")
    padding = b'"%s"' % (b"x" * BYTES_PER_WRITE)
    await publish(rig, *([padding] * (MESSAGES_PER_WRITE - 1)))
    await publish(rig, b"1", b"2", b"3")
    before = len(client.transport.writes)
    client.transport.drain()
    pieces = [piece.count(b"\n") for piece in client.transport.writes[before:]]
    assert pieces == [MESSAGES_PER_WRITE, 2]


async def test_short_messages_fill_a_piece_of_64_kib(rig: Rig) -> None:
    client = subscribed(rig)
    client.transport.full = True
    await publish(rig, b"0")
    await publish(rig, *([b'"%s"' % (b"x" * 1000)] * 100))
    before = len(client.transport.writes)
    client.transport.drain()
    pieces = client.transport.writes[before:]
    assert len(pieces) == 2
    assert BYTES_PER_WRITE <= len(pieces[0]) < BYTES_PER_WRITE + 1100


async def test_the_next_piece_waits_until_the_one_before_is_taken(rig: Rig) -> None:
    client = subscribed(rig)
    client.transport.full = True
    await publish(rig, b"0", *([b'"%s"' % (b"x" * 3000)] * 60))
    before = len(client.transport.writes)
    client.session.on_writable()
    assert len(client.transport.writes) == before + 1
    client.session.on_writable()
    assert len(client.transport.writes) == before + 2
    client.transport.drain()
    assert len(client.data()) == 61


async def test_many_messages_of_one_turn_are_cut_into_pieces_too(rig: Rig) -> None:
    client = subscribed(rig)
    client.transport.full = True
    for _ in range(100):
        await rig.publish("news", b'"%s"' % (b"x" * 3000))
    await rig.settle()
    assert BYTES_PER_WRITE <= len(client.transport.writes[-1]) < BYTES_PER_WRITE + 3100
    assert client.session.backlog_size > 0


async def test_a_backlog_over_the_limit_closes_with_3008_and_drops_it(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig({"client": {"queue_max_size": 10_000}})
    client, other = subscribed(rig), subscribed(rig, "bob")
    client.transport.full = True
    payload = b'"%s"' % (b"x" * 1000)
    await publish(rig, *([payload] * 9))
    assert client.code is None
    await publish(rig, *([payload] * 2))
    assert client.code == 3008
    assert len(client.data()) == 1
    assert len(other.data()) == 11
    assert other.code is None


async def test_exactly_the_limit_is_allowed(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig({"client": {"queue_max_size": 3000}})
    client = subscribed(rig)
    await publish(rig, b"0", b"0")
    frame = len(client.transport.writes[-1])
    client.transport.full = True
    await publish(rig, b"0", b'"%s"' % (b"x" * (3000 - frame - 1)))
    assert client.session.backlog_size == 3000
    assert client.code is None
    await publish(rig, b"0")
    assert client.code == 3008


async def test_bytes_taken_by_the_transport_do_not_count(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig({"client": {"queue_max_size": 3000}})
    client = subscribed(rig)
    await publish(rig, *([b'"%s"' % (b"x" * 2000)] * 20))
    for _ in range(20):
        await rig.publish("news", b'"%s"' % (b"x" * 2000))
    await rig.settle()
    assert client.code is None
    assert len(client.data()) == 40


@pytest.mark.parametrize("size", [-1, 0])
async def test_without_a_limit_the_backlog_grows(make_rig: Callable[..., Rig], size: int) -> None:
    rig = make_rig({"client": {"queue_max_size": size}})
    client = subscribed(rig)
    client.transport.full = True
    await publish(rig, *([b'"%s"' % (b"x" * 100_000)] * 20))
    assert client.code is None


async def test_a_message_longer_than_the_limit_closes_its_receivers(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig({"client": {"queue_max_size": 2000}})
    client, other = subscribed(rig), rig.connected("bob")
    await publish(rig, b'"%s"' % (b"x" * 3000))
    assert client.code == 3008
    assert other.code is None


async def test_a_reply_longer_than_the_limit_closes_its_client(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig({"client": {"queue_max_size": 3000}})
    client = rig.connected()
    client.call(subscribe={"channel": "full:a"})
    for _ in range(10):
        await publish(rig, b'"%s"' % (b"x" * 1000), channel="full:a")
    client.send({"history": {"channel": "full:a", "limit": -1}})
    assert client.code == 3008


async def test_a_write_timeout_closes_without_a_disconnect_push(rig: Rig) -> None:
    client = subscribed(rig)
    client.transport.full = True
    await publish(rig, b"0", b"1")
    writes = len(client.transport.writes)
    await rig.pass_time(0.9)
    assert not client.transport.aborted
    await rig.pass_time(0.2)
    assert client.transport.aborted
    assert client.session.closed
    assert len(client.transport.writes) == writes
    await rig.settle()
    rig.assert_nothing_left()


async def test_each_piece_has_its_own_timeout(rig: Rig) -> None:
    client = subscribed(rig)
    client.transport.full = True
    await publish(rig, b"0", *([b'"%s"' % (b"x" * 10_000)] * 100))
    for _ in range(5):
        await rig.pass_time(0.8)
        client.session.on_writable()
    assert not client.transport.aborted
    await rig.pass_time(1.1)
    assert client.transport.aborted


async def test_a_client_that_reads_again_in_time_stays(rig: Rig) -> None:
    client = subscribed(rig)
    client.transport.full = True
    await publish(rig, b"0")
    await rig.pass_time(0.9)
    client.transport.drain()
    await rig.pass_time(5)
    assert not client.transport.aborted
    assert client.code is None
