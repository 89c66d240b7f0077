"""Messages are counted exactly, independent of chunk boundaries."""

import asyncio
import itertools
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from fanjet.bench.clients.receivers import TIMED_READERS, CountingReader, MessageCounter, TimedReader, timed_indices
from fanjet.bench.clients.websocket import PONG_FRAME
from fanjet.bench.errors import BenchError
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.payload import MARKER, timestamped_payload


class WrittenTransport:
    """Records writes: with a socket, the call that sent a pong would be unknown."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)


def transport() -> tuple[WrittenTransport, asyncio.Transport]:
    fake = WrittenTransport()
    return fake, cast("asyncio.Transport", fake)


def push(size: int) -> bytes:
    return b'{"push":{"channel":"fan","pub":{"data":' + timestamped_payload("x" * size) + b"}}}"


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    bounds = sorted({0, len(stream), *(position % (len(stream) + 1) for position in cuts)})
    return [stream[start:end] for start, end in itertools.pairwise(bounds)]


GROUPS = st.lists(st.lists(st.integers(0, 400), min_size=1, max_size=16), min_size=1, max_size=5)


@given(GROUPS, st.lists(st.integers(0, 100_000), max_size=12), st.sampled_from([MARKER, b'"pub"']))
def test_every_message_is_counted_once(groups: list[list[int]], cuts: list[int], marker: bytes) -> None:
    payloads = [b"\n".join(push(size) for size in group) for group in groups]
    stream = b"".join(Frame(Opcode.TEXT, payload).serialize(mask=False) for payload in payloads)
    counter = MessageCounter()
    reader = CountingReader(counter, transport()[1], marker)
    for chunk in cut(stream, cuts):
        reader.data_received(chunk)
    assert counter.count == sum(map(len, groups))


@given(GROUPS, st.lists(st.integers(0, 100_000), max_size=12))
def test_a_timed_reader_times_and_counts_every_message(groups: list[list[int]], cuts: list[int]) -> None:
    payloads = [b"\n".join(push(size) for size in group) for group in groups]
    stream = b"".join(Frame(Opcode.TEXT, payload).serialize(mask=False) for payload in payloads)
    counter, latencies = MessageCounter(), Latencies()
    reader = TimedReader(counter, transport()[1], latencies)
    for chunk in cut(stream, cuts):
        reader.data_received(chunk)
    assert len(latencies.sample) == counter.count == sum(map(len, groups))
    assert min(latencies.sample) >= 0


def test_a_ping_is_answered_also_behind_a_message() -> None:
    fake, outgoing = transport()
    counter = MessageCounter()
    counter.expect_pings()
    reader = CountingReader(counter, outgoing)
    reader.data_received(b"\x81\x02{}")
    payload = push(5) + b"\n{}"
    reader.data_received(Frame(Opcode.TEXT, payload).serialize(mask=False))
    assert fake.written == [PONG_FRAME, PONG_FRAME]


async def test_the_counter_reports_missing_messages() -> None:
    counter = MessageCounter()
    counter.add(3)
    await counter.wait_for_count(3, 1)
    with pytest.raises(BenchError, match="3 messages of 4"):
        await counter.wait_for_count(4, 0.01)


async def test_a_lost_subscriber_ends_the_wait() -> None:
    counter = MessageCounter()
    reader = CountingReader(counter, transport()[1])
    asyncio.get_running_loop().call_soon(reader.connection_lost, None)
    with pytest.raises(BenchError, match="1 subscribers were disconnected"):
        await counter.wait_for_count(1, 5)


def test_the_timed_readers_are_spread_over_all() -> None:
    timed = timed_indices(1000)
    assert len(timed) == TIMED_READERS
    assert timed[-1] == 999
    assert list(timed_indices(3)) == [0, 1, 2]
