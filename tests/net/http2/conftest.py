import asyncio

import pytest

from fanjet.net.binding import bind_tcp
from fanjet.net.http_detection import MultiVersionServer
from fanjet.net.listener import Listener
from fanjet.net.timing_wheel import TimingWheel
from tests.support.http2_client import Http2Client

from ..conftest import HandClock


class ServedFront:
    """A listener for both versions of HTTP on a free port, with the wheel that drives it."""

    def __init__(self, routes, *, tls=None, **options):
        self.clock = HandClock()
        self.wheel = TimingWheel(self.clock, resolution=0.01)
        self.front = MultiVersionServer(routes, self.wheel, tls=tls is not None, h2c=tls is None, **options)
        self.listener = Listener(self.front, bind_tcp("127.0.0.1", 0), tls)
        self.port = self.listener.port
        self.clients = []

    async def connect(self, **options):
        client = await Http2Client.open(self.port, **options)
        self.clients.append(client)
        return client

    async def connect_raw(self):
        """A socket on which nothing was said yet."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.clients.append(Http2Client(asyncio.StreamReader(), writer))
        return reader, writer

    def push_clock(self, seconds):
        self.clock.pushed += seconds
        self.wheel.stop()
        self.wheel.start(asyncio.get_running_loop())


@pytest.fixture
async def serve_front():
    served = []

    async def start(routes, **options):
        one = ServedFront(routes, **options)
        one.wheel.start(asyncio.get_running_loop())
        await one.listener.start()
        served.append(one)
        return one

    yield start
    for one in served:
        one.listener.close()
        for client in one.clients:
            await client.close()
        for connection in [*one.front.http2.connections, *one.front.http1.connections]:
            connection.abort()
        one.wheel.stop()
    await asyncio.sleep(0.02)


class Echo:
    """Answers with the body it got and keeps the exchanges."""

    def __init__(self):
        self.exchanges = []

    def __call__(self, exchange):
        self.exchanges.append(exchange)
        request = exchange.request
        exchange.respond(200, request.body or request.method.encode(), b"text/plain", ((b"X-Own", b"1"),))


@pytest.fixture
def echo():
    return Echo()


@pytest.fixture
async def served(serve_front, routes, echo):
    routes.add("/echo", echo)
    routes.add("/any", echo, max_body=None)
    return await serve_front(routes)
