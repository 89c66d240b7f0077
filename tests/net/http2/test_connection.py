import asyncio
import gc
import random

import pytest
from h2.errors import ErrorCodes
from hpack.exceptions import HPACKError
from hyperframe.frame import (
    ContinuationFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanjet.net.http2 import ConnectionTimeouts, Http2Connection, Http2Server, Http2Stream
from fanjet.net.http2.header_blocks import BlockDecoder
from fanjet.net.http_detection import PREFACE
from fanjet.net.timing_wheel import TimingWheel
from tests.support.http2_client import fields

from ..conftest import HandClock, is_silent, until_closed, until_silent

SETTINGS = SettingsFrame(0).serialize()
HELLO = PREFACE + SETTINGS
GET = b"\x82\x86\x84\x41\x01h"  # GET http://h/


async def is_closed(reader):
    """Whether the server closes, after whatever it says."""
    async with asyncio.timeout(5):
        while await reader.read(1 << 16):
            pass
    return True


async def holds(condition):
    """Wait until the server has got that far."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (there is no event)
            await asyncio.sleep(0.01)


def ping(number=0):
    frame = PingFrame(0)
    frame.opaque_data = number.to_bytes(8, "big")
    return frame.serialize()


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        pytest.param(b"", 10.1, id="nothing"),
        pytest.param(PREFACE[:10], 10.1, id="part-of-preface"),
        pytest.param(PREFACE, 10.1, id="no-settings"),
        pytest.param(HELLO, 30.1, id="no-request"),
        pytest.param(HELLO + HeadersFrame(1, GET).serialize(), 10.1, id="part-of-headers"),
        pytest.param(HELLO + ping() * 5, 30.1, id="pings-only"),
    ],
)
async def test_who_says_nothing_is_dropped_in_time(served, said, seconds):
    reader, writer = await served.connect_raw()
    writer.write(said)
    await until_silent(reader) if len(said) >= len(PREFACE) else await asyncio.sleep(0.05)
    served.push_clock(seconds - 2)
    assert await is_silent(reader)
    served.push_clock(2)
    assert await is_closed(reader)


async def test_a_body_that_does_not_come_costs_its_stream(served):
    client = await served.connect()
    number = client.send(fields("POST", "/echo"), end=False)
    await client.request("GET", "/echo")
    served.push_clock(29)
    await client.request("GET", "/echo")
    served.push_clock(1.1)
    assert (await client.whole(number)).reset == ErrorCodes.INTERNAL_ERROR
    assert (await client.request("GET", "/echo")).status == 200


async def test_open_streams_keep_a_connection(serve_front, routes):
    waiting = []
    routes.add("/wait", waiting.append)
    served = await serve_front(routes)
    client = await served.connect()
    number = client.send(fields("GET", "/wait"))
    await client.request("GET", "/nope")
    for _ in range(3):
        served.push_clock(100)
        await client.request("GET", "/nope")
    waiting[0].respond(200)
    assert (await client.whole(number)).status == 200
    served.push_clock(30.1)
    await client.until(lambda: client.closed)
    assert client.gone == ErrorCodes.NO_ERROR


async def test_a_response_that_is_not_taken_is_given_up(serve_front, routes):
    routes.add("/big", lambda exchange: exchange.respond(200, bytes(1 << 20)))
    served = await serve_front(routes)
    client = await served.connect(greedy=False)
    number = client.send(fields("GET", "/big"))
    await client.until(lambda: len(client.answers[number].body) == 65535)
    served.push_clock(10.1)
    assert (await client.whole(number)).reset == ErrorCodes.INTERNAL_ERROR


async def test_a_tiny_window_is_filled_bit_by_bit(serve_front, routes):
    routes.add("/ten", lambda exchange: exchange.respond(200, b"0123456789"))
    client = await (await serve_front(routes)).connect(window=1)
    assert (await client.request("GET", "/ten")).body == b"0123456789"


async def test_a_stalled_response_stalls_no_other(serve_front, routes):
    routes.add("/big", lambda exchange: exchange.respond(200, bytes(1 << 20)))
    client = await (await serve_front(routes)).connect(greedy=False, window=1000)
    stalled = client.send(fields("GET", "/big"))
    await client.until(lambda: len(client.answers[stalled].body) == 1000)
    assert (await client.request("GET", "/nope")).status == 404
    assert len(client.answers[stalled].body) == 1000


async def test_large_responses_take_turns(serve_front, routes):
    routes.add("/big", lambda exchange: exchange.respond(200, bytes(1 << 20)))
    client = await (await serve_front(routes)).connect(greedy=False)
    numbers = [client.send(fields("GET", "/big")) for _ in range(4)]
    await client.until(lambda: sum(len(client.answers[number].body) for number in numbers) == 65535)
    client.engine.increment_flow_control_window(1 << 16)
    client.flush()
    await client.until(lambda: sum(len(client.answers[number].body) for number in numbers) == 65535 + (1 << 16))
    assert all(client.answers[number].body for number in numbers)


async def test_who_reads_nothing_is_dropped(serve_front, routes):
    routes.add("/", lambda exchange: exchange.respond(200, bytes(1 << 25)))
    served = await serve_front(routes)
    _, writer = await served.connect_raw()
    writer.transport.pause_reading()
    widest = (1 << 31) - 1
    writer.write(PREFACE + SettingsFrame(0, settings={4: widest}).serialize())
    writer.write(WindowUpdateFrame(0, window_increment=widest - 65535).serialize())
    writer.write(HeadersFrame(1, GET, flags=["END_HEADERS", "END_STREAM"]).serialize())
    connections = served.front.http2.connections
    await holds(lambda: any(connection.write_blocked for connection in connections))
    served.push_clock(9)
    await asyncio.sleep(0.05)
    assert connections
    served.push_clock(1.1)
    await holds(lambda: not connections)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(ping(), id="pings"),
        pytest.param(SETTINGS, id="settings"),
        pytest.param(PriorityFrame(1, depends_on=3).serialize(), id="priorities"),
        pytest.param(b"\0\0\0\x77\0\0\0\0\0", id="unknown"),
    ],
)
async def test_floods_end_the_connection(served, frame):
    reader, writer = await served.connect_raw()
    writer.write(HELLO + frame * 1500)
    assert b"flood" in await until_closed(reader)


async def test_rapid_resets_end_the_connection(served, echo):
    reader, writer = await served.connect_raw()
    requests = b""
    for number in range(1, 4001, 2):
        headers = HeadersFrame(number, GET, flags=["END_HEADERS"])
        requests += headers.serialize() + RstStreamFrame(number, error_code=8).serialize()
    writer.write(HELLO + requests)
    assert b"flood" in await until_closed(reader)
    assert echo.exchanges == []


async def test_a_continuation_flood_ends_the_connection(served):
    reader, writer = await served.connect_raw()
    writer.write(HELLO + HeadersFrame(1, GET).serialize() + ContinuationFrame(1).serialize() * 100)
    assert await is_closed(reader)


async def test_streams_go_on_behind_a_goaway_of_the_client(serve_front, routes):
    waiting = []
    routes.add("/wait", waiting.append)
    client = await (await serve_front(routes)).connect()
    number = client.send(fields("GET", "/wait"))
    await client.request("GET", "/nope")
    client.writer.write(b"\0\0\x08\x07\0\0\0\0\0" + bytes(8))
    await client.request("GET", "/nope")
    waiting[0].respond(200, b"late")
    assert (await client.whole(number)).body == b"late"


async def test_stopping_waits_for_what_is_being_answered(serve_front, routes):
    waiting = []
    routes.add("/wait", waiting.append)
    served = await serve_front(routes)
    idle, busy = await served.connect(), await served.connect()
    await idle.request("GET", "/nope")
    number = busy.send(fields("GET", "/wait"))
    await busy.request("GET", "/nope")
    stopping = asyncio.create_task(served.front.stop())
    await idle.until(lambda: idle.closed)
    await busy.until(lambda: busy.gone == ErrorCodes.NO_ERROR)
    assert not stopping.done()
    waiting[0].respond(200, b"last")
    assert (await busy.whole(number)).body == b"last"
    await asyncio.wait_for(stopping, 5)


async def test_keepalive_pings_and_drops(serve_front):
    clock = HandClock()
    wheel = TimingWheel(clock, resolution=0.01)
    wheel.start(asyncio.get_running_loop())
    server = Http2Server(
        lambda stream: None, wheel, timeouts=ConnectionTimeouts(keepalive=25, keepalive_timeout=5, idle=1e9)
    )
    listening = await asyncio.get_running_loop().create_server(server.new_connection, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
    writer.write(HELLO)
    await until_silent(reader)

    def push(seconds):
        clock.pushed += seconds
        wheel.stop()
        wheel.start(asyncio.get_running_loop())

    push(25.1)
    assert await reader.readexactly(17) == b"\0\0\x08\x06\0\0\0\0\0" + bytes(8)
    writer.write(b"\0\0\x08\x06\x01\0\0\0\0" + bytes(8))
    await asyncio.sleep(0.05)
    push(24)
    assert await is_silent(reader)
    push(1.1)
    await reader.readexactly(17)
    push(5.1)
    assert await is_closed(reader)
    writer.close()
    listening.close()
    wheel.stop()


async def test_too_many_pings_are_told_where_they_are_limited(serve_front):
    wheel = TimingWheel()
    server = Http2Server(lambda stream: None, wheel, timeouts=ConnectionTimeouts(ping_interval=5))
    listening = await asyncio.get_running_loop().create_server(server.new_connection, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
    writer.write(HELLO + ping() * 4)
    assert b"too_many_pings" in await until_silent(reader)
    writer.close()
    listening.close()


async def test_nonsense_closes_its_connection_only(served, caplog):
    randomness = random.Random(7)
    client = await served.connect()
    for _ in range(60):
        reader, writer = await served.connect_raw()
        writer.write(HELLO + random_frames(randomness))
        writer.write_eof()
        assert await is_closed(reader)
    assert (await client.request("GET", "/echo")).status == 200
    assert caplog.text == ""


def random_frames(randomness):
    frames = b""
    for _ in range(randomness.randrange(1, 12)):
        payload = randomness.randbytes(randomness.choice([0, 1, 4, 5, 6, 8, 40]))
        if randomness.random() < 0.3:
            payload = GET
        stream = randomness.choice([0, 1, 1, 3, 5, 2, 1 << 31])
        kind, flags = randomness.randrange(12), randomness.choice([0, 1, 4, 5, 8, 32, 255])
        length = len(payload) + (randomness.random() < 0.1)
        frames += length.to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    return frames


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_header_block_surprises_the_decoder(block):
    try:
        [(_, decoded)] = BlockDecoder().decode(block)
    except (HPACKError, IndexError):
        return
    assert not decoded.oversized


async def test_closed_connections_leave_nothing_behind(served):
    async def visit():
        client = await served.connect()
        await client.request("POST", "/echo", bytes(1000))
        await client.close()

    await visit()
    await holds(lambda: not served.front.http2.connections)
    gc.collect()
    kinds = (Http2Connection, Http2Stream)
    assert [each for each in gc.get_objects() if type(each) in kinds] == []
