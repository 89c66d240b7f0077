"""Requests over HTTP/3 (02 sections 3.1 and 3.4)."""

import asyncio

import pytest
from aioquic.h3.connection import ErrorCode, FrameType, encode_frame

from fanjet.net.http3.framing import MAX_FIELD_BYTES, MAX_PARTIAL_BYTES
from fanjet.net.http3.quic import STREAM_WINDOW
from tests.support.http3_client import connected

JSON = b"application/json"
PARTIAL_PIECE = 1000


@pytest.fixture
def seen(rig):
    """What an endpoint that answers with the body of the request has been asked."""
    requests = []

    def echo(exchange):
        requests.append(exchange.request)
        exchange.respond(200, exchange.request.body, JSON, ((b"X-Own", b"1"), (b"Connection", b"close")))

    rig.routes.add("/echo", echo, max_body=1000)
    rig.routes.add("/unlimited", echo, max_body=None)
    return requests


async def test_an_endpoint_answers(client, seen):
    response = await client.request("POST", "/echo?a=b", [(b"x-asked", b"yes")], b"{}")
    assert (response.status, response.body) == (200, b"{}")
    assert response.headers[b"content-type"] == JSON
    assert response.headers[b"content-length"] == b"2"
    assert response.headers[b"x-own"] == b"1"
    assert response.headers[b"date"].endswith(b"GMT")
    assert b"connection" not in response.headers
    (request,) = seen
    assert (request.method, request.path, request.query, request.version) == ("POST", "/echo", b"a=b", "3.0")
    assert request.headers[b"x-asked"] == b"yes"
    assert request.headers[b"host"] == b"localhost"
    assert request.peer.startswith("127.0.0.1:")
    assert request.tls


async def test_a_connection_serves_many_requests_at_once(client, seen):
    answers = await asyncio.gather(*(client.request("POST", "/echo", body=b"%d" % number) for number in range(300)))
    assert [answer.body for answer in answers] == [b"%d" % number for number in range(300)]


async def test_headers_that_occur_twice_and_cookies_in_parts(client, seen):
    await client.request("GET", "/echo", [(b"x", b"1"), (b"cookie", b"a=1"), (b"x", b"2"), (b"cookie", b"b=2")])
    assert seen[0].all_values(b"x") == [b"1", b"2"]
    assert seen[0].headers[b"cookie"] == b"a=1; b=2"


async def test_a_head_has_no_body(client, rig):
    rig.routes.add("/", lambda exchange: exchange.respond(200, b"text", JSON))
    client.framing._check_content_length = lambda stream: None  # aioquic knows nothing of HEAD
    response = await client.request("HEAD", "/")
    assert (response.body, response.headers[b"content-length"]) == (b"", b"4")


@pytest.mark.parametrize("status", [204, 304])
async def test_some_statuses_have_no_body(client, rig, status):
    rig.routes.add("/", lambda exchange: exchange.respond(status, b"text", JSON))
    response = await client.request("GET", "/")
    assert (response.status, response.body) == (status, b"")
    assert b"content-length" not in response.headers
    assert b"content-type" not in response.headers


async def test_routes_are_those_of_tcp(client, seen):
    assert (await client.request("GET", "/unknown")).body == b"404 page not found\n"
    redirect = await client.request("GET", "//echo")
    assert (redirect.status, redirect.headers[b"location"]) == (307, b"/echo")


async def test_a_body_comes_in_pieces(client, seen):
    stream = client.begin("POST", "/echo", end=False)
    for piece in (b"a", b"b", b"c"):
        client.send(stream, piece)
    client.send(stream, b"", end=True)
    assert (await client.response(stream)).body == b"abc"


async def test_large_bodies_go_both_ways(client, seen):
    body = bytes(range(256)) * 2_000
    assert (await client.request("POST", "/unlimited", body=body)).body == body


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_beyond_the_limit_is_refused(client, seen, declared):
    headers = [(b"content-length", b"1001")] if declared else []
    stream = client.begin("POST", "/echo", headers, end=False)
    if not declared:
        client.send(stream, bytes(1001))
    response = await client.response(stream)
    assert (response.status, response.body) == (413, b"")
    await client.until(lambda: client.streams[stream].stopped is not None)
    assert (await client.request("POST", "/echo", body=bytes(1000))).status == 200


async def test_the_endpoint_answers_for_a_body_beyond_the_limit(rig, client):
    rig.routes.add("/judge", lambda exchange: exchange.respond(405), max_body=10)
    assert (await client.request("PUT", "/judge", body=bytes(11))).status == 405


async def test_leave_is_given_to_send_a_body(client, seen):
    stream = client.begin("POST", "/echo", [(b"expect", b"100-continue"), (b"content-length", b"2")], end=False)
    await client.until(lambda: client.streams[stream].headers.get(b":status") == b"100")
    client.send(stream, b"ok", end=True)
    assert (await client.response(stream)).body == b"ok"


@pytest.mark.parametrize(
    "head",
    [
        pytest.param([(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"echo")], id="path"),
        pytest.param([(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/%x")], id="escape"),
        pytest.param([(b":method", b"GET"), (b":path", b"/")], id="scheme"),
        pytest.param([(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/"), (b"x", b"\x01")], id="control"),
    ],
)
async def test_a_malformed_request_costs_only_itself(client, seen, head):
    stream = client.new_stream()
    client.framing.send_headers(stream, [head[0], (b":authority", b"localhost"), *head[1:]], end_stream=True)
    client.transmit()
    await client.until(lambda: client.streams[stream].over)
    assert client.streams[stream].reset == ErrorCode.H3_MESSAGE_ERROR
    assert (await client.request("GET", "/echo")).status == 200


async def test_headers_may_be_long(client, seen):
    await client.request("GET", "/echo", [(b"x", b"a" * 60_000)])
    assert len(seen[0].headers[b"x"]) == 60_000


async def test_headers_that_are_too_long_end_the_connection(client, seen):
    client.begin("GET", "/echo", [(b"x%d" % number, b"a" * 1000) for number in range(MAX_FIELD_BYTES // 1000)])
    await client.until(lambda: client.closed)
    assert client.closed.error_code == ErrorCode.H3_EXCESSIVE_LOAD


async def test_a_few_bytes_do_not_stand_for_many(client, rig):
    """References to the static table, of one byte each."""
    block = b"\x00\x00" + b"\xc0\xc1\xd1\xd7" + b"\xf4" * 60_000
    client.send_raw(client.new_stream(), encode_frame(FrameType.HEADERS, block), end=True)
    await client.until(lambda: client.closed)
    assert client.closed.error_code == ErrorCode.H3_EXCESSIVE_LOAD


async def test_a_frame_that_never_ends_is_not_kept(client, rig):
    client.send_raw(client.new_stream(), b"\x01\xbf\xff\xff\xff" + bytes(MAX_PARTIAL_BYTES + PARTIAL_PIECE))
    await client.until(lambda: client.closed)
    assert client.closed.error_code == ErrorCode.H3_EXCESSIVE_LOAD


async def test_the_server_offers_no_table_for_headers(client, seen):
    await client.request("GET", "/echo")
    assert client.server_settings[1] == 0
    assert client.server_settings[6] == MAX_FIELD_BYTES


async def test_a_failing_endpoint_answers_500(client, rig, caplog):
    def fail(exchange):
        raise RuntimeError("broken")

    rig.routes.add("/fail", fail)
    response = await client.request("GET", "/fail")
    assert (response.status, response.body) == (500, b"Internal Server Error\n")
    assert "endpoint failed" in caplog.text


async def test_an_exchange_may_be_broken_off(client, rig):
    rig.routes.add("/abort", lambda exchange: exchange.abort())
    stream = client.begin("GET", "/abort")
    await client.until(lambda: client.streams[stream].over)
    assert client.streams[stream].reset == ErrorCode.H3_INTERNAL_ERROR


async def test_an_answer_may_come_later(client, rig):
    waiting = []
    rig.routes.add("/later", waiting.append)
    stream = client.begin("GET", "/later")
    await rig.until(lambda: waiting)
    waiting[0].respond(200, b"late")
    assert (await client.response(stream)).body == b"late"


async def test_who_gives_up_is_not_answered(client, rig):
    waiting, lost = [], []

    def endpoint(exchange):
        exchange.on_closed = lambda: lost.append(1)
        waiting.append(exchange)

    rig.routes.add("/later", endpoint)
    stream = client.begin("GET", "/later")
    await rig.until(lambda: waiting)
    client.cancel(stream)
    await rig.until(lambda: lost)
    assert waiting[0].closed
    waiting[0].respond(200, b"late")
    assert (await client.request("GET", "/unknown")).status == 404


async def test_there_is_no_upgrade(client, rig):
    rig.routes.add("/up", lambda exchange: exchange.upgrade(b"", lambda _: asyncio.Protocol()))
    assert (await client.request("GET", "/up")).status == 400


async def test_other_protocols_are_an_endpoint_s_business(client, seen):
    stream = client.begin("CONNECT", "/echo", [(b":protocol", b"websocket")], end=False)
    await client.response(stream)
    assert seen[0].method == "CONNECT"
    await client.until(lambda: client.streams[stream].stopped is not None)


async def test_plain_connect_leads_nowhere(client, seen):
    stream = client.new_stream()
    client.framing.send_headers(stream, [(b":method", b"CONNECT"), (b":authority", b"other:80")])
    client.transmit()
    client.send(stream, b"", end=True)
    assert (await client.response(stream)).status == 404


# Streamed bodies.


async def test_a_body_is_written_bit_by_bit(client, owner):
    stream = client.begin("GET", "/stream")
    await owner.begun.wait()
    for piece in (b"one", b"two"):
        owner.write(piece)
        await client.until(lambda piece=piece: client.streams[stream].data.endswith(piece))
    owner.stream.finish()
    response = await client.response(stream)
    assert response.body == b"onetwo"
    assert response.headers[b"x-own"] == b"1"
    assert b"connection" not in response.headers
    assert b"content-length" not in response.headers
    assert owner.heard == []


async def test_the_owner_hears_of_a_client_that_does_not_read(rig, owner):
    async with connected(rig.port, max_stream_data=10_000) as client:
        client._quic._write_stream_limits = lambda **_: None  # never lets more come
        stream = client.begin("GET", "/stream")
        await owner.begun.wait()
        owner.write(b"x" * 9_000)
        await client.until(lambda: len(client.streams[stream].data) == 9_000)
        assert owner.heard in ([], ["blocked", "writable"])  # slow start takes a moment
        owner.heard.clear()
        owner.write(b"x" * 9_000)
        await owner.hears("blocked")
        await client.until(lambda: len(client.streams[stream].data) > 9_000)
        assert owner.heard == ["blocked"]
        del client._quic._write_stream_limits
        client.transmit()
        await owner.hears("writable")
        owner.stream.abort()
        await client.until(lambda: client.streams[stream].over)
        assert client.streams[stream].reset == ErrorCode.H3_INTERNAL_ERROR
        assert owner.heard == ["blocked", "writable"]


async def test_the_owner_hears_of_a_client_that_leaves(client, owner):
    stream = client.begin("GET", "/stream")
    await owner.begun.wait()
    client.cancel(stream)
    await owner.hears("lost")
    owner.write(b"into the void")
    owner.stream.finish()
    assert (await client.request("GET", "/unknown")).status == 404


async def test_the_owner_hears_of_a_connection_that_ends(rig, owner):
    async with connected(rig.port) as client:
        client.begin("GET", "/stream")
        await owner.begun.wait()
    await owner.hears("lost")


# Time.


async def test_headers_have_ten_seconds(client, rig):
    stream = client.new_stream()
    client.send_raw(stream, b"\x01\x20")
    await client.ping()
    rig.push_clock(10.1)
    await client.until(lambda: client.streams[stream].over)
    assert client.streams[stream].reset == ErrorCode.H3_REQUEST_REJECTED


async def test_a_body_has_thirty_seconds_in_all(client, rig, seen):
    stream = client.begin("POST", "/echo", end=False)
    await client.ping()
    rig.push_clock(20)
    client.send(stream, b"a")
    await client.ping()
    assert not client.streams[stream].over
    rig.push_clock(10.1)
    await client.until(lambda: client.streams[stream].over)
    assert client.streams[stream].reset == ErrorCode.H3_REQUEST_REJECTED
    assert not seen


async def test_who_asks_for_nothing_is_sent_away(client, rig, seen):
    await client.request("GET", "/echo")
    rig.push_clock(20)
    await client.ping()
    rig.push_clock(10.1)
    await client.until(lambda: client.closed)
    assert client.closed.error_code == ErrorCode.H3_NO_ERROR
    rig.push_clock(200)  # what was under way when the clock was pushed looks slow: it lingers for long
    await rig.until(lambda: not rig.server.connections)


async def test_a_stream_may_be_silent_for_long(client, rig, owner):
    stream = client.begin("GET", "/stream")
    await owner.begun.wait()
    for _ in range(20):
        heard = next(iter(rig.server.connections))._last_received
        rig.push_clock(28)
        await rig.until(lambda heard=heard: next(iter(rig.server.connections))._last_received > heard + 28)
        await client.ping()
    owner.write(b"still there")
    await client.until(lambda: client.streams[stream].data == b"still there")


# The end.


async def test_a_stop_waits_for_requests(rig, owner):
    async with connected(rig.port) as idle, connected(rig.port) as client:
        stream = client.begin("GET", "/stream")
        await owner.begun.wait()
        stopping = asyncio.create_task(rig.listener.stop())
        await idle.until(lambda: idle.closed)
        owner.write(b"bye")
        await client.until(lambda: client.streams[stream].data == b"bye")
        assert not stopping.done()
        owner.stream.finish()
        assert (await client.response(stream)).body == b"bye"
        await client.until(lambda: client.closed)
        assert client.closed.error_code == ErrorCode.H3_NO_ERROR
        await stopping


async def test_the_window_is_bounded(client, rig):
    """However much a client has sent before: aioquic would let it send as much again."""
    received = []
    rig.routes.add("/unlimited", lambda exchange: received.append(len(exchange.request.body)), max_body=None)
    stream = client.begin("POST", "/unlimited", end=False)
    client.send(stream, bytes(4 * STREAM_WINDOW))
    await client.ping()
    (connection,) = rig.server.connections
    receiving = connection.quic._streams[stream]
    await rig.until(lambda: receiving.receiver.starting_offset() > 4 * STREAM_WINDOW)
    assert receiving.max_stream_data_local - receiving.receiver.starting_offset() <= STREAM_WINDOW
