import asyncio
import socket

import pytest

from fanjet.net.binding import KEEPALIVE_SECONDS, BindError, bind_tcp
from fanjet.net.http1 import HttpServer
from fanjet.net.listener import Listener
from fanjet.net.timing_wheel import TimingWheel

from .conftest import until_silent

GET = b"GET /now HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture
async def listening(routes):
    """A function that listens on a host and returns the listener."""
    routes.add("/now", lambda exchange: exchange.respond(200, b"{}"))
    wheel = TimingWheel(resolution=0.01)
    wheel.start(asyncio.get_running_loop())
    listeners = []

    async def listen(host):
        listener = Listener(HttpServer(routes, wheel), bind_tcp(host, 0))
        await listener.start()
        listeners.append(listener)
        return listener

    yield listen
    for listener in listeners:
        await asyncio.wait_for(listener.stop(), 2)
    wheel.stop()


async def ask(host, port, raw=GET):
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(raw)
    answer = await until_silent(reader)
    writer.close()
    return answer


async def test_an_empty_host_means_every_interface(listening):
    port = (await listening("")).port
    assert (await ask("127.0.0.1", port)).startswith(b"HTTP/1.1 200")
    if socket.has_dualstack_ipv6():
        assert (await ask("::1", port)).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
async def test_a_given_host(listening, host):
    port = (await listening(host)).port
    assert (await ask("127.0.0.1", port)).startswith(b"HTTP/1.1 200")


def test_a_port_in_use_is_reported_with_its_address():
    (first,) = bind_tcp("127.0.0.1", 0)
    first.listen()
    port = first.getsockname()[1]
    with pytest.raises(BindError, match=f"listen tcp 127.0.0.1:{port}: bind: Address already in use"):
        bind_tcp("127.0.0.1", port)
    first.close()


def test_an_unusable_host_is_reported():
    with pytest.raises(BindError, match=r"listen tcp no\.such\.host\.invalid:1"):
        bind_tcp("no.such.host.invalid", 1)


def test_accepted_sockets_inherit_their_options():
    (listening,) = bind_tcp("127.0.0.1", 0)
    listening.listen()
    listening.setblocking(True)
    with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == KEEPALIVE_SECONDS
    listening.close()


async def test_stopping_closes_idle_connections_and_waits_for_running_requests(routes, listening):
    waiting = asyncio.get_running_loop().create_future()
    routes.add("/later", waiting.set_result)
    listener = await listening("127.0.0.1")
    idle, idle_writer = await asyncio.open_connection("127.0.0.1", listener.port)
    idle_writer.write(GET)
    await idle.readuntil(b"{}")
    fresh, fresh_writer = await asyncio.open_connection("127.0.0.1", listener.port)
    busy, busy_writer = await asyncio.open_connection("127.0.0.1", listener.port)
    busy_writer.write(b"GET /later HTTP/1.1\r\nHost: h\r\n\r\n")
    exchange = await waiting
    stopping = asyncio.create_task(listener.stop())
    assert await until_silent(idle) == b"<EOF>"
    assert await until_silent(fresh) == b"<EOF>"
    assert not stopping.done()
    exchange.respond(200, b"last")
    answer = await until_silent(busy)
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"last<EOF>")
    await asyncio.wait_for(stopping, 2)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", listener.port)
    for writer in (idle_writer, fresh_writer, busy_writer):
        writer.close()
