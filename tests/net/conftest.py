import asyncio
import contextlib

import pytest
import uvloop

from fanjet.net.binding import bind_tcp
from fanjet.net.http1 import HttpServer
from fanjet.net.listener import Listener
from fanjet.net.router import Routes
from fanjet.net.timing_wheel import TimingWheel


def pytest_asyncio_loop_factories(config, item):
    """Every asynchronous test of this folder runs on both event loops."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.SelectorEventLoop}


class HandClock:
    """The real clock, which a test may push forward."""

    def __init__(self):
        self.pushed = 0.0

    def __call__(self):
        return asyncio.get_running_loop().time() + self.pushed


class Served:
    """A listener on a free port with the wheel that drives it."""

    def __init__(self, routes, tls=None):
        self.clock = HandClock()
        self.wheel = TimingWheel(self.clock, resolution=0.01)
        self.http = HttpServer(routes, self.wheel, tls=tls is not None)
        self.listener = Listener(self.http, bind_tcp("127.0.0.1", 0), tls)
        self.peers = []

    async def connect(self, ssl=None, limit=1 << 20):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.port, ssl=ssl, limit=limit)
        self.peers.append(writer)
        return reader, writer

    async def ask(self, raw):
        """Send bytes on a fresh connection and return all that comes until the server closes or falls silent."""
        reader, writer = await self.connect()
        writer.write(raw)
        return await until_silent(reader)

    def push_clock(self, seconds):
        self.clock.pushed += seconds
        self.wheel.stop()
        self.wheel.start(asyncio.get_running_loop())


async def until_silent(reader, silence=0.1):
    """All that comes until the server closes or falls silent; something has to come."""
    received = b""
    seconds = 5.0
    with contextlib.suppress(TimeoutError, ConnectionError):
        while data := await asyncio.wait_for(reader.read(1 << 20), seconds):
            received += data
            seconds = silence
        received += b"<EOF>"
    return received


async def until_closed(reader, seconds=60.0):
    """All that comes until the server closes, which it has to."""
    received = bytearray()
    async with asyncio.timeout(seconds):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 20):
                received += data
    return bytes(received)


async def is_silent(reader, silence=0.05):
    """Whether nothing comes, the end included."""
    with contextlib.suppress(TimeoutError):
        return await asyncio.wait_for(reader.read(1), silence) is None
    return True


@pytest.fixture
async def serve():
    served = []

    async def start(routes, tls=None):
        one = Served(routes, tls)
        one.wheel.start(asyncio.get_running_loop())
        await one.listener.start()
        served.append(one)
        return one

    yield start
    for one in served:
        one.listener.close()
        for writer in one.peers:
            writer.transport.abort()
        for connection in list(one.http.connections):
            connection.abort()
        one.wheel.stop()
    await asyncio.sleep(0.02)


@pytest.fixture
def routes():
    return Routes()
