"""WebTransport sessions (02 section 8)."""

import asyncio

import pytest
from aioquic.h3.connection import ErrorCode

from fanjet.net.http3.exchange import WebTransportExchange
from fanjet.net.http3.quic import STREAM_WINDOW
from fanjet.net.http3.webtransport import SESSION_GONE, STREAM_REJECTED, WebTransportConnection
from tests.support.http3_client import connected

from .conftest import Rig


class Noted(WebTransportConnection):
    """A session that notes what it hears."""

    def __init__(self, wheel):
        super().__init__(wheel)
        self.heard = []

    def on_opened(self):
        self.heard.append("opened")

    def on_data(self, data):
        self.heard.append(data)

    def on_finished(self):
        self.heard.append("finished")

    def on_blocked(self):
        self.heard.append("blocked")

    def on_writable(self):
        self.heard.append("writable")

    def on_gone(self):
        self.heard.append("gone")

    @property
    def data(self):
        return b"".join(one for one in self.heard if isinstance(one, bytes))


@pytest.fixture
def sessions(rig):
    """The server's side of the sessions at /wt, in the order of their coming."""
    made = []

    def endpoint(exchange):
        if isinstance(exchange, WebTransportExchange):
            made.append(Noted(rig.wheel))
            exchange.accept(made[-1], ((b"X-Own", b"1"),))
        else:
            exchange.respond(400)

    rig.routes.add("/wt", endpoint)
    return made


async def begun(client, rig, sessions):
    """Both sides of a session with a stream on which `hello` was sent."""
    theirs = await client.session("/wt")
    ours = sessions[-1]
    theirs.send(b"hello")
    await rig.until(lambda: ours.data == b"hello")
    return theirs, ours


@pytest.mark.parametrize("protocol", [b"webtransport", b"webtransport-h3"])
async def test_a_session_carries_bytes_both_ways(client, rig, sessions, protocol):
    theirs = await client.session("/wt", protocol=protocol)
    assert theirs.request.headers[b"x-own"] == b"1"
    theirs.send(b"ping\n")
    (ours,) = sessions
    await rig.until(lambda: ours.heard == ["opened", b"ping\n"])
    ours.write(b"pong\n")
    assert await theirs.line() == b"pong"


async def test_other_requests_are_none_for_a_session(client, rig, sessions):
    assert (await client.request("GET", "/wt")).status == 400
    stream = client.begin("CONNECT", "/wt", [(b":protocol", b"websocket")], end=False)
    assert (await client.response(stream)).status == 400


async def test_there_are_none_unless_offered(sessions):
    rig = Rig(webtransport=False)
    await rig.start()
    rig.routes.add("/wt", lambda exchange: exchange.respond(200 if isinstance(exchange, WebTransportExchange) else 400))
    async with connected(rig.port) as client:
        stream = client.begin("CONNECT", "/wt", [(b":protocol", b"webtransport")], end=False)
        assert (await client.response(stream)).status == 400
        assert 0x2B603742 not in client.server_settings
    await rig.stop()


async def test_the_drafts_that_browsers_speak_are_announced(client, sessions):
    await client.session("/wt")
    assert client.server_settings[0x2B603742] == 1
    assert client.server_settings[0x2C7CF000] == 1
    assert client.server_settings[0x33] == 1
    assert client.server_settings[0x8] == 1


async def test_the_end_comes_with_code_and_reason_after_the_stream_s(client, rig, sessions):
    theirs, ours = await begun(client, rig, sessions)
    ours.write(b"last")
    ours.close(3001, "shutdown")
    assert await theirs.rest() == b"last"
    assert not theirs.request.ended
    rig.push_clock(1.1)
    assert await theirs.end() == (3001, "shutdown")
    assert ours.heard[-1] == "gone"
    assert ours.heard.count("gone") == 1
    assert next(iter(rig.server.connections)).is_idle


async def test_a_long_reason_is_cut_between_characters(client, rig, sessions):
    theirs, ours = await begun(client, rig, sessions)
    ours.close(4000, "é" * 1000)
    rig.push_clock(1.1)
    assert await theirs.end() == (4000, "é" * 512)


async def test_what_comes_during_the_end_is_discarded(client, rig, sessions):
    theirs, ours = await begun(client, rig, sessions)
    ours.close(3001, "shutdown")
    theirs.send(b"more", end=True)
    await client.ping()
    assert ours.data == b"hello"
    assert "finished" not in ours.heard
    ours.write(b"too late")
    ours.close(3002, "again")
    rig.push_clock(1.1)
    assert await theirs.end() == (3001, "shutdown")
    assert await theirs.rest() == b""


async def test_the_client_s_end_of_the_stream_is_told(client, rig, sessions):
    theirs, ours = await begun(client, rig, sessions)
    theirs.send(b"last", end=True)
    await rig.until(lambda: ours.heard == ["opened", b"hello", b"last", "finished"])
    ours.write(b"answer")
    ours.close(3000, "")
    assert await theirs.rest() == b"answer"


async def test_a_client_may_break_its_stream_off(client, rig, sessions):
    theirs, ours = await begun(client, rig, sessions)
    client.cancel(theirs.stream_id)
    await rig.until(lambda: "finished" in ours.heard)
    ours.write(b"nobody hears")
    ours.close(3000, "over")
    rig.push_clock(1.1)
    assert await theirs.end() == (3000, "over")


@pytest.mark.parametrize("how", ["capsule", "reset", "connection"])
async def test_a_client_may_end_the_session(client, rig, sessions, how):
    theirs, ours = await begun(client, rig, sessions)
    if how == "capsule":
        theirs.close(7, b"enough")
    elif how == "reset":
        client.cancel(theirs.id)
    else:
        client.close()
    await rig.until(lambda: "gone" in ours.heard)
    assert ours.heard.count("gone") == 1
    if how == "capsule":
        await client.until(lambda: theirs.stream.over)
        assert theirs.stream.reset == SESSION_GONE
        assert await theirs.end() is None


async def test_a_session_without_a_stream_ends_after_ten_seconds(client, rig, sessions):
    theirs = await client.session("/wt")
    (ours,) = sessions
    rig.push_clock(10.1)
    assert await theirs.end() is None
    assert ours.heard == ["gone"]


async def test_a_session_may_be_broken_off(client, rig, sessions):
    theirs, ours = await begun(client, rig, sessions)
    ours.abort()
    await client.until(lambda: theirs.stream.over and theirs.request.over)
    assert theirs.stream.reset == SESSION_GONE
    assert theirs.request.reset == ErrorCode.H3_INTERNAL_ERROR
    assert ours.heard[-1] == "gone"


async def test_only_the_first_stream_is_of_use(client, rig, sessions):
    theirs, ours = await begun(client, rig, sessions)
    first = theirs.stream_id
    theirs.open()
    theirs.send(b"second")
    await client.until(lambda: theirs.stream.over)
    assert theirs.stream.reset == STREAM_REJECTED
    uni = client.framing.create_webtransport_stream(theirs.id, is_unidirectional=True)
    client.send_raw(uni, b"one way")
    await client.ping()
    theirs.stream_id = first
    theirs.send(b"!")
    await rig.until(lambda: ours.data == b"hello!")


async def test_a_stream_of_no_session_is_reset(client, rig, sessions):
    theirs, _ = await begun(client, rig, sessions)
    theirs.id += 400
    theirs.open()
    theirs.send(b"x")
    await client.until(lambda: theirs.stream.over)
    assert theirs.stream.reset == ErrorCode.H3_ID_ERROR


async def test_a_connection_may_have_several_sessions(client, rig, sessions):
    one, other = await client.session("/wt"), await client.session("/wt")
    one.send(b"one")
    other.send(b"other")
    await rig.until(lambda: [session.data for session in sessions] == [b"one", b"other"])
    one.close()
    await rig.until(lambda: "gone" in sessions[0].heard)
    other.send(b"!")
    await rig.until(lambda: sessions[1].data == b"other!")
    assert "gone" not in sessions[1].heard


async def test_a_paused_session_waits_with_its_window(client, rig, sessions):
    theirs, ours = await begun(client, rig, sessions)
    ours.pause_reading()
    theirs.send(bytes(3 * STREAM_WINDOW), end=True)
    await rig.until(lambda: client._quic._streams[theirs.stream_id].sender.highest_offset == STREAM_WINDOW)
    for _ in range(5):
        await client.ping()
    assert ours.data == b"hello"
    waiting = sum(map(len, ours._unread))
    assert waiting <= STREAM_WINDOW
    ours.resume_reading()
    await rig.until(lambda: len(ours.data) == 5 + 3 * STREAM_WINDOW)
    await rig.until(lambda: ours.heard[-1] == "finished")


async def test_a_session_may_pause_while_it_reads(client, rig, sessions):
    theirs, ours = await begun(client, rig, sessions)
    taken = []

    def on_data(data):
        taken.append(data)
        ours.pause_reading()

    ours.on_data = on_data
    for piece in (b"a", b"b", b"c"):
        theirs.send(piece)
        await client.ping()
    assert taken == [b"a"]
    ours.resume_reading()
    assert taken == [b"a", b"b"]
    ours.resume_reading()
    assert taken == [b"a", b"b", b"c"]


async def test_it_is_told_of_a_client_that_does_not_read(rig, sessions):
    async with connected(rig.port, max_stream_data=10_000) as client:
        client._quic._write_stream_limits = lambda **_: None  # never lets more come
        theirs, ours = await begun(client, rig, sessions)
        ours.write(b"x" * 20_000)
        await rig.until(lambda: ours.heard[-1] == "blocked")
        await client.until(lambda: len(theirs.stream.data) == 10_000)
        ours.close(3009, "write error")
        rig.push_clock(1.1)
        assert await theirs.end() == (3009, "write error")


async def test_a_stop_waits_for_sessions(client, rig, sessions):
    theirs, ours = await begun(client, rig, sessions)
    stopping = asyncio.create_task(rig.listener.stop())
    ours.close(3001, "shutdown")
    await theirs.rest()
    assert not stopping.done()
    rig.push_clock(1.1)
    assert await theirs.end() == (3001, "shutdown")
    await client.until(lambda: client.closed)
    await stopping
