import asyncio
import contextlib
import gc
import socket
import weakref

import pytest
import websockets
from websockets.asyncio.client import connect

from fanjet.net.origin import origin_predicate
from fanjet.net.websocket.connection import WebSocketConnection
from fanjet.net.websocket.frames import text_frame
from fanjet.net.websocket.handshake import accept_head, handshake_error_status, offers_deflate
from fanjet.net.websocket.reader import ReadLimits

from ..conftest import is_silent, until_silent
from .test_reader import BINARY, CLOSE, PING, PONG, deflated, frame

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Recorder(WebSocketConnection):
    """Writes down what it is told."""

    __slots__ = ("__weakref__", "changed", "events", "reaction")

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.events = []
        self.changed = asyncio.Event()
        self.reaction = None

    def note(self, *event):
        self.events.append(event)
        self.changed.set()

    def on_message(self, payload):
        self.note("message", payload)
        if self.reaction is not None:
            self.reaction(payload)

    def on_pong_frame(self, payload):
        self.note("pong", payload)

    def on_close_sent(self, code):
        self.note("close sent", code)

    def on_connection_closed(self):
        self.note("gone")

    def on_blocked(self):
        self.note("blocked")

    def on_writable(self):
        self.note("writable")

    async def until(self, *event, times=1):
        async with asyncio.timeout(5):
            while self.events.count(event) < times:
                self.changed.clear()
                await self.changed.wait()

    @property
    def messages(self):
        return [event[1] for event in self.events if event[0] == "message"]


class Server:
    def __init__(self, served, connections):
        self.served = served
        self.connections = connections
        self.before_handshake = None

    async def open(self):
        """Return a raw peer and the server's side of the connection."""
        reader, writer = await self.served.connect(limit=1024)
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        return reader, writer, self.connections[-1]

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.served.listener.port}/ws"

    def push_clock(self, seconds):
        self.served.push_clock(seconds)


@pytest.fixture
async def server(serve, routes):
    connections = []

    def endpoint(exchange):
        request = exchange.request
        assert handshake_error_status(request, origin_predicate([])) is None
        deflate = offers_deflate(request)

        def make(transport):
            if server.before_handshake is not None:
                server.before_handshake(transport)
            connections.append(Recorder(served.wheel, ReadLimits(1000, 5000), inflate=deflate))
            return connections[-1]

        exchange.upgrade(accept_head(request, deflate=deflate), make)

    routes.add("/ws", endpoint)
    served = await serve(routes)
    server = Server(served, connections)
    yield server
    for connection in connections:
        connection.abort()
    await asyncio.sleep(0)


# Messages.


async def test_messages_arrive_in_order_however_they_are_cut(server):
    _, writer, connection = await server.open()
    writer.write(frame(b"one"))
    await connection.until("message", b"one")
    writer.write(frame(b"two") + frame(b"three", BINARY) + frame(b"fo", fin=False))
    writer.write(frame(b"ur", 0) + frame(b"five" * 100)[:50])
    await connection.until("message", b"four")
    writer.write(frame(b"five" * 100)[50:])
    await connection.until("message", b"five" * 100)
    assert connection.messages == [b"one", b"two", b"three", b"four", b"five" * 100]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 1000])
async def test_a_message_that_comes_whole_and_alone_needs_no_reader(server, size):
    _, _, connection = await server.open()
    connection.data_received(frame(b"x" * size))
    assert connection.messages == [b"x" * size]
    assert connection._reader is None


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 900])
@pytest.mark.parametrize("extra", [-1, 1])
async def test_one_that_is_cut_or_followed_does(server, size, extra):
    _, _, connection = await server.open()
    following = frame(b"end")
    both = frame(b"x" * size) + following
    cut = len(both) - len(following) + extra
    connection.data_received(both[:cut])
    connection.data_received(both[cut:])
    assert connection.messages == [b"x" * size, b"end"]


async def test_an_idle_connection_keeps_no_reader(server):
    _, writer, connection = await server.open()
    writer.write(frame(b"one") + frame(b"two"))
    await connection.until("message", b"two")
    assert connection._reader is None


async def test_frames_are_written_as_they_are(server):
    reader, _, connection = await server.open()
    connection.write(text_frame(b"a") + text_frame(b"b"))
    assert await reader.readexactly(6) == b"\x81\x01a\x81\x01b"
    connection.send_ping_frame()
    assert await reader.readexactly(2) == b"\x89\x00"


async def test_another_implementation_as_the_client(server):
    async with connect(server.url, compression="deflate") as client:
        (connection,) = server.connections
        connection.reaction = lambda payload: connection.write(text_frame(payload))
        for text in ("hello", "x" * 900, "é" * 2000):
            await client.send(text)
            assert await client.recv() == text
        await (await client.ping())
    await connection.until("gone")


async def test_pings_are_answered_and_pongs_reported(server):
    reader, writer, connection = await server.open()
    writer.write(frame(b"abc", PING) + frame(b"", PING) + frame(b"p", PONG))
    assert await reader.readexactly(7) == b"\x8a\x03abc\x8a\x00"
    await connection.until("pong", b"p")


# Pausing.


async def test_messages_wait_in_order_while_reading_is_paused(server):
    _, writer, connection = await server.open()
    connection.reaction = lambda payload: connection.pause_reading()
    writer.write(frame(b"1") + frame(b"2") + frame(b"3"))
    await connection.until("message", b"1")
    writer.write(frame(b"4"))
    await asyncio.sleep(0.05)
    assert connection.messages == [b"1"]
    connection.resume_reading()
    assert connection.messages == [b"1", b"2"]
    connection.reaction = None
    connection.resume_reading()
    await connection.until("message", b"4")
    assert connection.messages == [b"1", b"2", b"3", b"4"]


async def test_reading_may_be_resumed_from_within_a_message(server):
    _, writer, connection = await server.open()

    def pause_and_resume(payload):
        connection.pause_reading()
        connection.resume_reading()

    connection.reaction = pause_and_resume
    writer.write(b"".join(frame(b"%d" % number) for number in range(2000)))
    await connection.until("message", b"1999")
    assert connection.messages == [b"%d" % number for number in range(2000)]


async def test_a_paused_connection_takes_a_bounded_amount(server):
    _, writer, connection = await server.open()
    connection.pause_reading()
    writer.write(frame(b"x" * 900) * 20_000)
    await asyncio.sleep(0.1)
    assert len(connection._reader._buffer) < 1_500_000
    connection.resume_reading()
    await connection.until("message", b"x" * 900, times=20_000)


async def test_messages_before_the_end_are_delivered_after_a_pause(server):
    _, writer, connection = await server.open()
    connection.reaction = lambda payload: connection.pause_reading()
    writer.write(frame(b"1") + frame(b"2"))
    writer.write_eof()
    await connection.until("message", b"1")
    await asyncio.sleep(0.05)
    connection.reaction = None
    connection.resume_reading()
    await connection.until("gone")
    assert connection.messages == [b"1", b"2"]


async def test_messages_before_a_loss_are_delivered_although_reading_is_paused(server):
    _, writer, connection = await server.open()
    connection.reaction = lambda payload: connection.pause_reading()
    writer.write(frame(b"1") + frame(b"2") + frame(b"3") + frame(b"4")[:-1])
    await connection.until("message", b"1")
    assert connection.messages == [b"1"]
    connection.transport.abort()  # as when a write finds the peer gone
    await connection.until("gone")
    assert connection.messages == [b"1", b"2", b"3"]


# Closing by the server.


async def test_close_sends_the_frame_and_waits_for_the_peer_s(server):
    reader, writer, connection = await server.open()
    connection.write(text_frame(b"last"))
    connection.close(3001, "shutdown")
    connection.close(3002, "again")
    connection.write(text_frame(b"too late"))
    assert await reader.readexactly(6 + 12) == b"\x81\x04last\x88\x0a\x0b\xb9shutdown"
    assert await is_silent(reader)
    assert connection.events == [("close sent", 3001)]
    writer.write(frame(b"ignored") + frame(b"", PING) + frame(b"\x0b\xb9", CLOSE))
    assert await until_silent(reader) == b"<EOF>"
    await connection.until("gone")
    assert connection.events == [("close sent", 3001), ("gone",)]


async def test_a_peer_that_ignores_the_close_frame_is_cut_off_after_5_seconds(server):
    reader, writer, connection = await server.open()
    connection.close(3001, "")
    await reader.readexactly(4)
    server.push_clock(4.5)
    writer.write(frame(b"still talking"))
    assert await is_silent(reader)
    server.push_clock(1)
    assert await until_silent(reader) == b"<EOF>"
    await connection.until("gone")
    assert connection.messages == []


async def test_closing_from_within_a_message_discards_the_rest(server):
    reader, writer, connection = await server.open()
    connection.reaction = lambda payload: connection.close(3501, "bad request")
    writer.write(frame(b"1") + frame(b"2") + frame(b"\x03\xe8", CLOSE))
    assert await until_silent(reader) == b"\x88\x0d\x0d\xadbad request<EOF>"
    assert connection.events == [("message", b"1"), ("close sent", 3501), ("gone",)]


async def test_closing_a_paused_connection_reads_on_to_find_the_peer_s_frame(server):
    reader, writer, connection = await server.open()
    connection.pause_reading()
    writer.write(frame(b"waits") * 3)
    await asyncio.sleep(0.05)
    connection.close(3001, "")
    writer.write(frame(b"\x0b\xb9", CLOSE))
    assert await until_silent(reader) == b"\x88\x02\x0b\xb9<EOF>"
    await connection.until("gone")
    assert connection.messages == []


async def test_drop_closes_without_a_frame(server):
    reader, _, connection = await server.open()
    connection.drop()
    assert await until_silent(reader) == b"<EOF>"
    await connection.until("gone")
    assert connection.events == [("gone",)]


async def test_drop_may_wait_and_discards_meanwhile(server):
    reader, writer, connection = await server.open()
    connection.drop(5)
    writer.write(frame(b"ignored") + frame(b"p", PING))
    assert await reader.readexactly(3) == b"\x8a\x01p"
    server.push_clock(4.5)
    assert await is_silent(reader)
    server.push_clock(1)
    assert await until_silent(reader) == b"<EOF>"
    await connection.until("gone")
    assert connection.events == [("gone",)]


async def test_a_waiting_drop_ends_when_the_peer_closes(server):
    reader, writer, connection = await server.open()
    connection.drop(5)
    writer.write(frame(b"\x03\xe8", CLOSE))
    assert await until_silent(reader) == b"\x88\x02\x03\xe8<EOF>"
    await connection.until("gone")


async def test_abort(server):
    reader, _, connection = await server.open()
    connection.abort()
    assert await until_silent(reader) in (b"<EOF>", b"")
    await connection.until("gone")
    connection.close(3000, "")
    connection.drop()
    connection.abort()


# Closing by the peer.


@pytest.mark.parametrize(
    ("payload", "echo"),
    [
        pytest.param(b"\x03\xe8bye", b"\x88\x02\x03\xe8", id="code-and-reason"),
        pytest.param(b"", b"\x88\x00", id="no-code"),
        pytest.param(b"\x03", b"\x88\x00", id="one-byte"),
    ],
)
async def test_a_close_frame_is_echoed_without_the_reason(server, payload, echo):
    reader, writer, connection = await server.open()
    writer.write(frame(b"before") + frame(payload, CLOSE) + frame(b"after"))
    assert await until_silent(reader) == echo + b"<EOF>"
    assert connection.events == [("message", b"before"), ("gone",)]


async def test_the_end_of_the_peer_s_stream_ends_the_connection(server):
    reader, writer, connection = await server.open()
    writer.write(frame(b"half")[:3])
    writer.write_eof()
    assert await until_silent(reader) == b"<EOF>"
    await connection.until("gone")
    assert connection.events == [("gone",)]


async def test_a_reset_ends_the_connection(server):
    _, writer, connection = await server.open()
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()
    await connection.until("gone")
    assert connection.events == [("gone",)]


# Protocol errors.


@pytest.mark.parametrize(
    ("wire", "code", "reason"),
    [
        pytest.param(frame(b"x", mask=False), 1002, b"bad MASK", id="unmasked"),
        pytest.param(frame(b"x", rsv=4), 1002, b"RSV1 set", id="compressed-without-negotiation"),
        pytest.param(frame(b"x" * 1001), 1009, b"", id="too-big"),
        pytest.param(frame(b"x" * 1001)[:4], 1009, b"", id="too-big-by-its-header"),
        pytest.param(frame(b"\x03\xe7", CLOSE), 1002, b"bad close code 999", id="close-code"),
    ],
)
async def test_broken_frames_are_answered_with_a_close_frame(server, wire, code, reason):
    reader, writer, connection = await server.open()
    writer.write(frame(b"good") + wire + frame(b"after"))
    payload = code.to_bytes(2, "big") + reason
    assert await until_silent(reader) == bytes((0x88, len(payload))) + payload + b"<EOF>"
    assert connection.events == [("message", b"good"), ("close sent", code), ("gone",)]
    writer.close()


async def test_after_a_broken_frame_the_socket_is_closed_even_if_the_peer_stays(server):
    _, writer, connection = await server.open()
    writer.write(b"\xff\xff")
    await connection.until("gone")
    server.push_clock(1.5)
    await asyncio.sleep(0.1)
    assert connection.transport.is_closing()


async def test_a_message_that_does_not_inflate_closes_with_1007(server):
    async with connect(server.url, compression="deflate") as client:
        client.transport.write(frame(b"\xff\xff\xff", rsv=4))
        with pytest.raises(websockets.ConnectionClosed) as caught:
            await client.recv()
        assert caught.value.rcvd.code == 1007


async def test_a_message_that_inflates_too_far_closes_with_1009(server):
    async with connect(server.url, compression="deflate") as client:
        client.transport.write(frame(deflated(b"x" * 5001), rsv=4))
        with pytest.raises(websockets.ConnectionClosed) as caught:
            await client.recv()
        assert caught.value.rcvd.code == 1009
        assert caught.value.rcvd.reason == "message too big after decompression"


# Slow peers.


async def blocked(server):
    reader, writer, connection = await server.open()
    writer.transport.pause_reading()
    for _ in range(1000):
        if ("blocked",) in connection.events:
            return reader, writer, connection
        connection.write(text_frame(b"x" * 60_000))
    raise AssertionError("the kernel takes everything")


async def test_blocked_and_writable_are_reported(server):
    _, writer, connection = await blocked(server)
    writer.transport.resume_reading()
    drained = asyncio.create_task(drain(writer, connection))
    await connection.until("writable")
    drained.cancel()
    assert connection.events == [("blocked",), ("writable",)]


def received(peer):
    """All that has come to a socket by now. The event loop has no turn meanwhile, so the server writes no more."""
    pieces = []
    with contextlib.suppress(BlockingIOError):
        while piece := peer.recv(1 << 20):
            pieces.append(piece)
    return b"".join(pieces)


async def received_within(peer, size):
    loop = asyncio.get_running_loop()
    pieces = []
    async with asyncio.timeout(5):
        while size > 0:
            pieces.append(await loop.sock_recv(peer, size))
            size -= len(pieces[-1])
    return b"".join(pieces)


@pytest.fixture
async def raw_peer(server):
    """A socket that the event loop does not read from, after the handshake."""
    peer = socket.socket()
    peer.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(peer, ("127.0.0.1", server.served.listener.port))
    yield peer
    peer.close()


async def test_nothing_overtakes_what_the_kernel_did_not_take(server, raw_peer):
    await asyncio.get_running_loop().sock_sendall(raw_peer, HANDSHAKE)
    head = await received_within(raw_peer, 1)
    while not head.endswith(b"\r\n\r\n"):
        head += await received_within(raw_peer, 1)
    connection = server.connections[-1]
    written = []

    def write(times):
        for _ in range(times):
            written.append(text_frame(b"%06d" % len(written) * 1000))
            connection.write(written[-1])

    while ("blocked",) not in connection.events:
        write(1)
    write(3)
    got = received(raw_peer)
    write(3)
    connection.send_ping_frame()
    written.append(frame(b"", PING, mask=False))
    got += received(raw_peer)
    write(3)
    expected = b"".join(written)
    assert got + await received_within(raw_peer, len(expected) - len(got)) == expected
    await connection.until("writable")
    write(1)
    assert await received_within(raw_peer, len(written[-1])) == written[-1]


async def test_what_was_written_before_the_handshake_goes_first(server, raw_peer):
    earlier = bytearray()

    def fill(transport):
        while not transport.get_write_buffer_size():
            earlier.extend(b"x" * 32_000)
            transport.write(b"x" * 32_000)

    server.before_handshake = fill
    await asyncio.get_running_loop().sock_sendall(raw_peer, HANDSHAKE)
    async with asyncio.timeout(5):
        while not server.connections:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)
    got = received(raw_peer)
    server.connections[0].write(text_frame(b"later"))
    expected = bytes(earlier) + text_frame(b"later")
    head_size = got.index(b"\r\n\r\n") + 4
    got += await received_within(raw_peer, head_size + len(expected) - len(got))
    assert got[head_size:] == expected


async def drain(writer, connection):
    while True:
        writer.transport.resume_reading()
        reader = writer._protocol._stream_reader
        await reader.read(1 << 20)


async def test_a_blocked_connection_owes_one_pong_only(server):
    reader, writer, connection = await blocked(server)
    writer.write(b"".join(frame(b"%d" % number, PING) for number in range(1000)) + frame(b"done"))
    await connection.until("message", b"done")
    writer.transport.resume_reading()
    raw = await until_silent(reader)
    assert raw.count(b"\x8a") == 1
    assert raw.endswith(b"\x8a\x03999")


async def test_a_close_frame_that_is_not_taken_within_a_second_is_given_up(server):
    _, _, connection = await blocked(server)
    connection.close(3009, "write error")
    await asyncio.sleep(0.05)
    assert ("gone",) not in connection.events
    server.push_clock(1.1)
    await connection.until("gone")


async def test_a_close_frame_that_is_taken_in_time_has_5_seconds(server):
    reader, writer, connection = await blocked(server)
    connection.close(3008, "slow")
    writer.transport.resume_reading()
    raw = await until_silent(reader)
    assert raw.endswith(b"\x88\x06\x0b\xc0slow")
    server.push_clock(4)
    assert await is_silent(reader)
    server.push_clock(1.5)
    assert await until_silent(reader) == b"<EOF>"


@pytest.mark.parametrize("end", [lambda connection: connection.drop(), lambda connection: connection.drop(1)])
async def test_dropping_a_blocked_connection_does_not_wait_for_ever(server, end):
    _, _, connection = await blocked(server)
    end(connection)
    server.push_clock(1.5)
    await connection.until("gone")


async def test_a_half_closed_peer_that_reads_nothing_does_not_stay(server):
    _, writer, connection = await blocked(server)
    writer.write_eof()
    await connection.until("gone")
    server.push_clock(1.5)
    await asyncio.sleep(0.1)
    assert connection.transport.is_closing()
    assert connection._state == 4


# Memory.


async def test_closed_connections_are_freed_without_the_collector(server):
    gc.collect()
    gc.disable()
    try:
        kept = []
        for number in range(20):
            _, writer, connection = await server.open()
            writer.write(frame(b"x") + frame(b"y")[:4])
            await connection.until("message", b"x")
            if number % 2:
                connection.close(3001, "")
            writer.close()
            await connection.until("gone")
            kept.append(weakref.ref(connection))
        del connection
        server.connections.clear()
        async with asyncio.timeout(5):
            while any(reference() is not None for reference in kept):  # noqa: ASYNC110 (nothing reports that it is freed)
                await asyncio.sleep(0.01)
    finally:
        gc.enable()
