"""Limits that protect the engine and other workers from one worker."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
from msgspec import msgpack

from fanjet.engines.interfaces import EngineUnavailable, PublishOptions
from fanjet.engines.memory_server import (
    engine_connection,
    journal,
    journal_client,
    journal_server,
    messages,
    worker_connection,
)
from fanjet.engines.memory_server.handshake import receive_descriptor
from fanjet.engines.memory_server.messages import VERSION, Hello, Ping, Publish, ReaderSlot, ReadHistory, Stream, encode
from fanjet.engines.memory_server.socket_framing import FrameReader
from tests.engines.memory_server.conftest import working
from tests.support.shared_engine import connect_raw, holding_lock
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

KEEP = PublishOptions(history_size=10, history_ttl=300)


def frame(*calls: messages.Call) -> bytes:
    body = b"\xdd" + len(calls).to_bytes(4, "big") + b"".join(map(encode, calls))
    return len(body).to_bytes(4, "big") + body


class Raw:
    """A worker that reads only when the test does."""

    def __init__(self, path: str) -> None:
        self._socket = connect_raw(path)
        self._socket.setblocking(False)
        self._reader = FrameReader(messages.decode_replies)
        self.got: list = []

    async def __aenter__(self) -> Raw:
        assert await asyncio.get_running_loop().sock_recv(self._socket, 1)  # with the journal
        return self

    async def __aexit__(self, *_: object) -> None:
        self._socket.close()

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def read(self) -> bool:
        """Read once; False at the end."""
        try:
            data = await asyncio.get_running_loop().sock_recv(self._socket, 1 << 20)
        except ConnectionResetError:
            return False
        self.got += self._reader.feed(data)
        return bool(data)

    async def read_until(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.got) < count:
                assert await self.read()

    async def read_to_the_end(self) -> None:
        async with asyncio.timeout(20):
            while await self.read():
                pass


@pytest.mark.parametrize(
    "noise",
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="another-protocol"),
        pytest.param(b"\0\0\0\1\xc1", id="no-messagepack"),
        pytest.param(b"\0\0\0\3\x91\x91\x63", id="an-unknown-call"),
        pytest.param(b"\0\0\0\4\x91\x92\x01\x01", id="an-incomplete-call"),
    ],
)
async def test_malformed_calls_drop_the_connection(engine, noise):
    async with working(engine) as other, Raw(engine) as raw:
        await raw.send(noise)
        await raw.read_to_the_end()
        await other.broker.publish("news", b"1", KEEP)


async def test_calls_before_hello_are_refused(engine):
    async with Raw(engine) as raw:
        await raw.send(frame(Ping()))
        await raw.read_until(1)
        assert raw.got == [messages.Refused("no introduction")]


async def test_another_version_is_refused(engine):
    async with Raw(engine) as raw:
        await raw.send(frame(Hello(VERSION + 1, "me")))
        await raw.read_until(1)
        assert raw.got == [
            messages.Refused(f"the engine's process speaks version {VERSION}, this worker {VERSION + 1}")
        ]


async def test_unknown_fields_are_ignored(engine):
    hello = msgpack.encode([[0, VERSION, "me", b"", "something new"]])
    async with Raw(engine) as raw:
        await raw.send(len(hello).to_bytes(4, "big") + hello)
        await raw.read_until(1)
        assert [type(each) for each in raw.got] == [ReaderSlot]


async def test_a_worker_that_does_not_read_is_dropped(engine, monkeypatch):
    monkeypatch.setattr(worker_connection, "MAX_UNSENT", 4_000_000)
    async with working(engine, "a") as other, Raw(engine) as raw:
        await raw.send(frame(Hello(VERSION, "raw", b"raw is gone")))
        await raw.read_until(1)
        sent = 0

        async def dropped() -> bool:
            nonlocal sent
            await other.controller.publish_control(b"x" * 100_000)
            sent += 1
            return other.control == [b"raw is gone"]

        await until(dropped)
        assert sent < 100


async def until_in_turns(condition: Callable[[], Awaitable[bool]]) -> None:
    """Check a condition in every turn of the event loop."""
    for _ in range(100_000):
        if await condition():
            return
        await asyncio.sleep(0)
    raise TimeoutError


@pytest.fixture
def small_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that is full soon."""
    monkeypatch.setattr(journal, "CAPACITY", 64 * 1024)
    for module in (journal, journal_client):
        monkeypatch.setattr(module, "MAX_APPEND", 16 * 1024)
    for module in (journal_client, journal_server):
        monkeypatch.setattr(module, "MAX_RECORD", 8 * 1024)


@pytest.mark.usefixtures("small_journal")
async def test_a_lagging_worker_reports_a_gap(engine):
    async with working(engine, "a") as quick, working(engine, "b") as slow:
        for each in (quick, slow):
            await each.broker.subscribe("news")
        for _ in range(100):  # in one turn of the event loop, so that nobody reads meanwhile
            quick.broker.publish("news", b"x" * 1000, PublishOptions())
        await quick.events.deliveries(100)

        async def is_restored() -> bool:
            return slow.events.restored == 1

        await until(is_restored)
        assert quick.events.restored == 0
        await quick.broker.publish("news", b"y", PublishOptions())
        await slow.broker.publish("news", b"z", PublishOptions())
        assert [each.publication.data for each in await slow.events.deliveries(2)] == [b"y", b"z"]


@pytest.mark.usefixtures("small_journal")
async def test_a_slow_worker_that_publishes_does_not_buffer_without_limit(engine, monkeypatch):
    monkeypatch.setattr(journal_client, "SLICE_SECONDS", -1)  # a few events in each turn of the loop
    monkeypatch.setattr(journal_client, "MAX_UNDELIVERED", 48 * 1024)
    async with working(engine, "a") as quick, working(engine, "b") as slow:
        await slow.broker.subscribe("news")

        async def is_restored() -> bool:
            for _ in range(40):
                quick.broker.publish("news", b"x" * 800, PublishOptions())
            if not slow.broker.outage:
                slow.broker.publish("other", b"1", PublishOptions())
            return slow.events.restored == 1

        await until_in_turns(is_restored)


@pytest.mark.usefixtures("small_journal")
async def test_a_closing_worker_reads_no_more_events(engine, monkeypatch):
    monkeypatch.setattr(journal_client, "SLICE_SECONDS", -1)
    async with working(engine, "a") as quick:
        async with working(engine, "b") as slow:
            await slow.broker.subscribe("news")
            for number in range(40):
                quick.broker.publish("news", b"%d" % number, PublishOptions())
            slow.broker.publish("other", b"1", PublishOptions())
            quick.client.flush()
            leaving = asyncio.create_task(slow.client._journal_client.close())

            async def has_left() -> bool:
                for _ in range(40):
                    quick.broker.publish("news", b"more", PublishOptions())
                return leaving.done()

            await until_in_turns(has_left)
            slow.client._journal_client = None
        told = [each.publication.data for each in slow.events.delivered]
        assert told[:40] == [b"%d" % number for number in range(40)]
        assert len(told) <= 80


async def test_events_buffered_while_the_lock_is_held_are_reported_again(engine):
    async with working(engine) as mine:
        await mine.broker.subscribe("news")
        with connect_raw(engine) as raw:
            raw.setblocking(False)
            descriptor = await receive_descriptor(raw)
        with holding_lock(descriptor):
            os.close(descriptor)
            for number in range(1, 4):
                mine.broker.publish("news", b"%d" % number, PublishOptions())
                assert mine.events.pending == number
                for _ in range(2):
                    await asyncio.sleep(0)
        assert [each.publication.data for each in await mine.events.deliveries(3)] == [b"1", b"2", b"3"]


@pytest.mark.usefixtures("small_journal")
async def test_events_of_a_lagging_worker_reach_others(engine):
    async with working(engine, "a") as quick, working(engine, "b") as slow:
        await quick.broker.subscribe("news")
        for _ in range(100):
            quick.broker.publish("other", b"x" * 1000, PublishOptions())
        await slow.broker.publish("news", b"y", PublishOptions())
        assert [each.publication.data for each in await quick.events.deliveries(1)] == [b"y"]


@pytest.mark.usefixtures("small_journal")
async def test_more_events_than_one_append_takes_are_split(engine):
    async with working(engine) as mine:
        await mine.broker.subscribe("news")
        calls = [mine.broker.publish("news", b"x" * 1000, KEEP) for _ in range(40)]
        await asyncio.gather(*calls)
        assert [each.publication.offset for each in mine.events.delivered] == list(range(1, 41))


async def test_unread_replies_are_not_buffered_without_limit(engine, monkeypatch):
    monkeypatch.setattr(worker_connection, "MAX_UNSENT", 8_000_000)
    async with working(engine) as other, Raw(engine) as raw:
        await other.broker.publish("news", b"x" * 1_000_000, KEEP)
        await raw.send(frame(Hello(VERSION, "raw"), *[ReadHistory("news", None, -1, False, 0)] * 100))
        for _ in range(10):
            await other.broker.publish("other", b"1", KEEP)  # without waiting for the other worker
        await raw.read_until(101)
        assert [len(each.publications) for each in raw.got if isinstance(each, Stream)] == [1] * 100


async def test_a_call_that_fails_within_the_engine_is_refused(engine):
    async with working(engine) as mine:
        with pytest.raises(EngineUnavailable, match="internal error"):
            await mine.client.call(Publish("news", b"1", PublishOptions(history_size=2**64 - 1, history_ttl=1)))
        await mine.broker.publish("news", b"1", KEEP)


async def test_a_message_beyond_the_frame_limit_is_refused(engine, monkeypatch):
    monkeypatch.setattr(engine_connection, "MAX_FRAME", 1_000)
    async with working(engine) as mine:
        with pytest.raises(EngineUnavailable, match="too long"):
            await mine.broker.publish("news", b"x" * 1_000, KEEP)
        await mine.broker.publish("news", b"1", KEEP)
