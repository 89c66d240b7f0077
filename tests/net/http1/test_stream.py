import asyncio

import pytest

from ..conftest import until_silent

GET = b"GET /stream HTTP/1.1\r\nHost: h\r\n\r\n"


class Owner:
    """Streams what the test tells it to, and notes what it hears."""

    def __init__(self):
        self.heard = []
        self.begun = asyncio.Event()
        self.changed = asyncio.Event()

    def __call__(self, exchange):
        self.frame = exchange.body_framing
        self.stream = exchange.stream(200, self, b"text/plain", ((b"X-Own", b"1"),))
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
def owner():
    return Owner()


@pytest.fixture
async def served(serve, routes, owner):
    routes.add("/stream", owner)
    routes.add("/now", lambda exchange: exchange.respond(200, b"{}", b"application/json"))
    return await serve(routes)


async def begin(served, owner, request=GET):
    reader, writer = await served.connect()
    writer.write(request)
    await asyncio.wait_for(owner.begun.wait(), 3)
    return reader, writer


async def test_pieces_are_chunks_and_the_connection_is_used_again(served, owner):
    reader, writer = await begin(served, owner)
    owner.write(b"one\n")
    owner.write(b"two\n")
    owner.stream.finish()
    writer.write(b"GET /now HTTP/1.1\r\nHost: h\r\n\r\n")
    received = await until_silent(reader)
    head, _, rest = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nX-Own: 1\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked" in head
    assert b"Content-Length" not in head
    assert rest.startswith(b"4\r\none\n\r\n4\r\ntwo\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert rest.endswith(b"{}")
    assert not owner.heard


async def test_a_request_behind_a_stream_waits_for_its_end(served, owner):
    reader, _ = await begin(served, owner, GET + b"GET /now HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (await until_silent(reader)).count(b"HTTP/1.1") == 1
    owner.stream.finish()
    assert (await until_silent(reader)).startswith(b"0\r\n\r\nHTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("request_", "status_line", "connection", "framed"),
    [
        (b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"HTTP/1.0 200 OK", b"", b"one"),
        (
            b"GET /stream HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            b"HTTP/1.1 200 OK",
            b"Connection: close",
            b"3\r\none\r\n0\r\n\r\n",
        ),
    ],
)
async def test_the_end_of_the_connection_follows_where_it_is_not_kept(
    served, owner, request_, status_line, connection, framed
):
    reader, _ = await begin(served, owner, request_)
    owner.write(b"one")
    owner.stream.finish()
    lines = (await until_silent(reader)).partition(framed + b"<EOF>")[0].split(b"\r\n")
    assert lines[0] == status_line
    assert [line for line in lines if line.startswith(b"Connection")] == ([connection] if connection else [])
    assert lines[-2:] == [b"", b""]


async def test_a_broken_off_body_has_no_last_chunk(served, owner):
    reader, _ = await begin(served, owner)
    owner.write(b"one")
    await asyncio.wait_for(reader.readuntil(b"one\r\n"), 3)
    owner.stream.abort()
    assert b"0\r\n" not in await until_silent(reader)
    await owner.hears("lost")


@pytest.mark.parametrize("leave", ["half", "whole"])
async def test_a_peer_that_leaves_is_reported_once(served, owner, leave):
    reader, writer = await begin(served, owner)
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 3)
    if leave == "half":
        writer.write_eof()
    else:
        writer.close()
    await owner.hears("lost")
    owner.stream.finish()
    await asyncio.sleep(0)
    assert owner.heard == ["lost"]


async def test_a_slow_peer_is_reported_and_gets_everything(served, owner):
    reader, _ = await begin(served, owner)
    piece = b"x" * 100_000
    count = 0
    while "blocked" not in owner.heard:
        owner.write(piece)
        count += 1
    owner.write(piece)
    received = 0
    while received < (count + 1) * len(piece):
        received += len(await asyncio.wait_for(reader.read(1 << 20), 3))
    await owner.hears("writable")
    assert owner.heard == ["blocked", "writable"]


async def test_a_stream_has_no_deadline(served, owner):
    reader, _ = await begin(served, owner)
    served.push_clock(1000)
    await asyncio.sleep(0.05)
    owner.write(b"late")
    await asyncio.wait_for(reader.readuntil(b"late"), 3)


async def test_a_server_that_stops_waits_for_the_stream(served, owner):
    reader, _ = await begin(served, owner)
    stopping = asyncio.ensure_future(served.listener.stop())
    await asyncio.sleep(0.05)
    assert not stopping.done()
    owner.stream.finish()
    await asyncio.wait_for(stopping, 3)
    assert (await until_silent(reader)).endswith(b"0\r\n\r\n<EOF>")
