"""An HTTP/3 server in this process, with test endpoints and an adjustable clock."""

import asyncio
import socket
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("aioquic", reason="the extra fanjet[http3] is not installed")

from fanjet.net.binding import bind_beside
from fanjet.net.http3.certificate import quic_configuration
from fanjet.net.http3.listener import Http3Listener
from fanjet.net.http3.server import Http3Server
from fanjet.net.router import Routes
from fanjet.net.timing_wheel import TimingWheel
from tests.support.certificates import issue
from tests.support.http3_client import connected

PAIR = issue()


class Clock:
    """Time that passes by itself, and which a test may push forward."""

    def __init__(self):
        self.pushed = 0.0

    def __call__(self):
        return time.monotonic() + self.pushed


class Rig:
    """The server and what tests do to it."""

    def __init__(self, webtransport=True):
        self.clock = Clock()
        self.wheel = TimingWheel(self.clock, resolution=0.01)
        self.routes = Routes()
        self.server = Http3Server(self.routes, self.wheel, webtransport=webtransport)
        settings = SimpleNamespace(cert_pem=PAIR.certificate, key_pem=PAIR.key, client_ca_pem="")
        with socket.socket() as beside:
            beside.bind(("127.0.0.1", 0))
            self.port = beside.getsockname()[1]
            self.listener = Http3Listener(self.server, quic_configuration(settings), [bind_beside(beside)])

    async def start(self):
        self.wheel.start(asyncio.get_running_loop())
        await self.listener.start()

    async def stop(self):
        await self.listener.stop()
        self.wheel.stop()

    def push_clock(self, seconds):
        self.clock.pushed += seconds
        self.wheel.stop()
        self.wheel.start(asyncio.get_running_loop())

    async def until(self, condition):
        """Wait for what happens on the server, which runs in the same loop."""
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - what is looked at sets no event
                await asyncio.sleep(0.005)


class Owner:
    """Streams what the test tells it to, and notes what it hears. Also an endpoint."""

    def __init__(self):
        self.heard = []
        self.begun = asyncio.Event()
        self.changed = asyncio.Event()

    def __call__(self, exchange):
        self.frame = exchange.body_framing
        self.stream = exchange.stream(200, self, b"text/plain", ((b"X-Own", b"1"), (b"Connection", b"close")))
        self.begun.set()

    def write(self, piece):
        self.stream.write(self.frame(piece))

    def on_blocked(self):
        self._note("blocked")

    def on_writable(self):
        self._note("writable")

    def on_lost(self):
        self._note("lost")

    def _note(self, what):
        self.heard.append(what)
        self.changed.set()

    async def hears(self, what):
        while what not in self.heard:
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 3)


@pytest.fixture
async def rig():
    made = Rig()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def client(rig):
    async with connected(rig.port) as made:
        yield made


@pytest.fixture
def owner(rig):
    made = Owner()
    rig.routes.add("/stream", made)
    return made
