import asyncio

import pytest

from fanjet.net.extended_connect import TunnelExchange
from tests.support.http2_client import fields

CANCEL = 8


class Protocol(asyncio.Protocol):
    """Notes what it is told, and echoes."""

    def __init__(self):
        self.heard = []
        self.changed = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.note(data)
        self.transport.write(data)

    def eof_received(self):
        self.note("eof")

    def pause_writing(self):
        self.note("blocked")

    def resume_writing(self):
        self.note("writable")

    def connection_lost(self, error):
        self.note("lost" if error is None else "broken")

    def note(self, what):
        self.heard.append(what)
        self.changed.set()

    async def hears(self, what):
        while what not in self.heard:
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 3)


@pytest.fixture
def protocol():
    return Protocol()


@pytest.fixture
async def served(serve_front, routes, protocol):
    def endpoint(exchange):
        assert isinstance(exchange, TunnelExchange)
        assert exchange.protocol == b"own"
        exchange.open_tunnel(((b"X-Own", b"1"),), lambda _: protocol)

    routes.add("/tunnel", endpoint)
    return await serve_front(routes, websocket_http2=True)


async def begin(served, **options):
    client = await served.connect(**options)
    await client.until(lambda: client.engine.remote_settings.enable_connect_protocol == 1)
    number = client.send([(":protocol", "own"), *fields("CONNECT", "/tunnel")], end=False)
    answer = client.answers[number]
    await client.until(lambda: answer.status == 200)
    return client, answer, number


async def test_bytes_pass_both_ways(served):
    client, answer, number = await begin(served)
    assert answer.header("x-own") == "1"
    client.send_data(number, b"there")
    await client.until(lambda: answer.body == b"there")


async def test_the_socket_is_not_one_stream_s_to_write_to(served, protocol):
    await begin(served)
    assert protocol.transport.get_extra_info("socket") is None
    assert protocol.transport.get_extra_info("peername")[0] == "127.0.0.1"


async def test_who_watches_is_told_when_it_opens(serve_front, routes, protocol):
    statuses = []

    def endpoint(exchange):
        exchange.observe(statuses.append)
        exchange.open_tunnel((), lambda _: protocol)

    routes.add("/tunnel", endpoint)
    client, answer, number = await begin(await serve_front(routes, websocket_http2=True))
    client.send_data(number, b"there")
    await client.until(lambda: answer.body == b"there")
    assert statuses == [200]


async def test_the_client_ends_it(served, protocol):
    client, answer, number = await begin(served)
    client.send_data(number, b"last", end=True)
    await client.whole(number)
    assert (answer.body, answer.ended) == (b"last", True)
    await protocol.hears("lost")
    assert protocol.heard == [b"last", "eof", "lost"]


async def test_the_server_ends_it(served, protocol):
    client, answer, number = await begin(served)
    protocol.transport.write(b"bye")
    protocol.transport.close()
    await client.whole(number)
    assert (answer.body, answer.ended) == (b"bye", True)
    await protocol.hears("lost")


async def test_the_server_aborts_it(served, protocol):
    client, _answer, number = await begin(served)
    protocol.transport.abort()
    assert (await client.whole(number)).reset == CANCEL
    await protocol.hears("lost")


async def test_the_client_resets_it(served, protocol):
    client, _, number = await begin(served)
    client.reset(number)
    await protocol.hears("broken")


async def test_what_came_before_a_reset_is_delivered_although_reading_is_paused(served, protocol):
    client, _, number = await begin(served)
    protocol.transport.pause_reading()
    client.send_data(number, b"first")
    client.send_data(number, b"second")
    client.reset(number)
    await protocol.hears("broken")
    assert b"".join(protocol.heard[:-1]) == b"firstsecond"


async def test_windows_block_the_writer_and_an_end_waits_for_them(served, protocol):
    client, answer, number = await begin(served, greedy=False, window=4)
    protocol.transport.write(b"12345678")
    await protocol.hears("blocked")
    protocol.transport.close()
    await client.until(lambda: answer.body == b"1234")
    assert "lost" not in protocol.heard
    client.engine.increment_flow_control_window(4, number)
    client.flush()
    await client.whole(number)
    assert answer.body == b"12345678"
    await protocol.hears("lost")


async def test_a_paused_reader_lets_the_client_send_one_window(served, protocol):
    client, answer, number = await begin(served)
    protocol.transport.pause_reading()
    sent = 0
    while (room := client.engine.local_flow_control_window(number)) > 0:
        client.send_data(number, bytes(min(room, 16384)))
        sent += min(room, 16384)
    await asyncio.sleep(0.05)
    assert client.engine.local_flow_control_window(number) == 0
    assert protocol.heard == []
    protocol.transport.resume_reading()
    await client.until(lambda: len(answer.body) == sent)
    await client.until(lambda: client.engine.local_flow_control_window(number) > 0)


async def test_it_is_not_offered_unless_asked_for(serve_front, routes):
    client = await (await serve_front(routes)).connect()
    await client.until(lambda: client.engine.remote_settings.max_concurrent_streams == 250)
    assert client.engine.remote_settings.enable_connect_protocol == 0
