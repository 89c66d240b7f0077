"""A series of commands to a peer whose replies the test controls."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest
from websockets.frames import Frame, Opcode

from fanjet.bench.clients.websocket import PING, PONG_FRAME, text_frame
from fanjet.bench.errors import BenchError
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.workload.command_series import CommandSeries

FRAMES = [text_frame(b'{"id":%d}' % number) for number in range(5)]
PATIENCE = 20.0


class Peer(asyncio.Protocol):
    """The peer of the connection."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.received = b""
        self._more = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._more.set()

    async def has(self, expected: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.received) < len(expected):
                await self._more.wait()
                self._more.clear()
        assert self.received == expected

    def say(self, *messages: bytes) -> None:
        self.transport.write(Frame(Opcode.TEXT, b"\n".join(messages)).serialize(mask=False))


@pytest.fixture
async def both() -> AsyncIterator[tuple[Peer, asyncio.Transport]]:
    peer = Peer()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: peer, "127.0.0.1", 0)
    transport, _ = await loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname())
    yield peer, transport
    transport.close()
    server.close()


async def test_one_frame_is_sent_for_each_reply(both: tuple[Peer, asyncio.Transport]) -> None:
    peer, transport = both
    series = CommandSeries(transport, FRAMES, len(FRAMES), frames_in_flight=2)
    latencies = Latencies()
    series.start(latencies)
    for sent in (2, 3, 4, 5, 5):
        await peer.has(b"".join(FRAMES[:sent]))
        assert not latencies.sample
        peer.say(b'{"id":1}')
    await series.wait_answered()
    assert len(latencies.sample) == 1


async def test_all_commands_of_a_frame_have_to_be_answered(both: tuple[Peer, asyncio.Transport]) -> None:
    peer, transport = both
    series = CommandSeries(transport, FRAMES[:1], 3, frames_in_flight=1)
    latencies = Latencies()
    series.start(latencies)
    await peer.has(FRAMES[0])
    peer.say(b'{"id":1}', b'{"id":2}')
    peer.say(PING)
    await peer.has(FRAMES[0] + PONG_FRAME)
    assert not latencies.sample
    peer.say(b'{"id":3}')
    await series.wait_answered()


async def test_an_error_reply_fails_the_series(both: tuple[Peer, asyncio.Transport]) -> None:
    peer, transport = both
    series = CommandSeries(transport, FRAMES, len(FRAMES), frames_in_flight=5)
    series.start(Latencies())
    await peer.has(b"".join(FRAMES))
    peer.say(b'{"id":1}', b'{"id":2,"error":{"code":106,"message":"limit exceeded"}}')
    with pytest.raises(BenchError, match="limit exceeded"):
        await series.wait_answered()


async def test_a_lost_connection_fails_the_series(both: tuple[Peer, asyncio.Transport]) -> None:
    peer, transport = both
    series = CommandSeries(transport, FRAMES, len(FRAMES), frames_in_flight=5)
    series.start(Latencies())
    await peer.has(b"".join(FRAMES))
    peer.transport.close()
    with pytest.raises(BenchError, match="connection closed by the server"):
        await series.wait_answered()
