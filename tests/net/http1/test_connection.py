import asyncio
import gc
import random
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.net.http1 import BodyTooLarge, ContinueRequired, HttpServer, UnreadableBody
from fanjet.net.router import Routes
from fanjet.net.timing_wheel import TimingWheel

from ..conftest import is_silent, until_silent

GET = b"GET /now HTTP/1.1\r\nHost: h\r\n\r\n"


def post(path, body, *lines):
    head = b"\r\n".join((b"POST %b HTTP/1.1" % path, b"Host: h", b"Content-Length: %d" % len(body), *lines))
    return head + b"\r\n\r\n" + body


class Later:
    """An endpoint that answers when told to."""

    def __init__(self):
        self.exchanges = []
        self.arrived = asyncio.Event()

    def __call__(self, exchange):
        self.exchanges.append(exchange)
        self.arrived.set()

    async def next(self):
        await asyncio.wait_for(self.arrived.wait(), 2)
        self.arrived.clear()
        return self.exchanges[-1]


@pytest.fixture
def later():
    return Later()


@pytest.fixture
async def served(serve, routes, later):
    def echo(exchange):
        exchange.respond(200, exchange.request.body, b"application/json")

    def fail(exchange):
        raise RuntimeError("bug")

    def judge(exchange):
        if exchange.request.method != "POST":
            exchange.respond(405, headers=((b"X-Own", b"1"),))
            return
        try:
            exchange.respond(200, exchange.request.body)
        except ContinueRequired as awaited:
            awaited.endpoint = lambda whole: whole.respond(200, b"again: " + whole.request.body)
            raise
        except UnreadableBody as failure:
            exchange.respond(413 if isinstance(failure, BodyTooLarge) else 499, headers=((b"X-Own", b"1"),))

    routes.add("/now", lambda exchange: exchange.respond(200, b"{}", b"application/json"))
    routes.add("/echo", echo, max_body=100)
    routes.add("/unlimited", lambda exchange: exchange.respond(200, b"%d" % len(exchange.request.body)), max_body=None)
    routes.add("/later", later)
    routes.add("/fail", fail)
    routes.add("/judge", judge, max_body=100)
    routes.add("/large", lambda exchange: exchange.respond(200, b"x" * 8_000_000))
    routes.add("/empty", lambda exchange: exchange.respond(204, headers=((b"X-Own", b"1"),)))
    return await serve(routes)


def parts(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    return status, dict(line.split(b": ", 1) for line in lines), body


async def test_an_answer_has_its_length_type_and_date(served):
    status, headers, body = parts(await served.ask(GET))
    assert status == b"HTTP/1.1 200 OK"
    assert headers.keys() == {b"Content-Type", b"Content-Length", b"Date"}
    assert headers[b"Date"].endswith(b" GMT")
    assert (headers[b"Content-Length"], headers[b"Content-Type"]) == (b"2", b"application/json")
    assert body == b"{}"


async def test_a_connection_serves_many_requests(served):
    reader, writer = await served.connect()
    for number in range(3):
        writer.write(post(b"/echo", b"%d" % number))
        assert (await until_silent(reader, 0.05)).endswith(b"\r\n\r\n%d" % number)


async def test_pipelined_requests_are_answered_in_order(served, later):
    reader, writer = await served.connect()
    wire = post(b"/echo", b"1") + b"GET /later HTTP/1.1\r\nHost: h\r\n\r\n" + post(b"/echo", b"3")
    writer.write(wire)
    exchange = await later.next()
    first = await until_silent(reader, 0.05)
    assert first.endswith(b"\r\n\r\n1")
    exchange.respond(200, b"2")
    rest = await until_silent(reader, 0.05)
    assert rest.index(b"\r\n\r\n2") < rest.index(b"\r\n\r\n3")


async def test_many_pipelined_requests(served):
    raw = await served.ask(post(b"/echo", b"x") * 2000)
    assert raw.count(b"HTTP/1.1 200 OK") == 2000


async def test_reading_stops_while_pipelined_input_piles_up(served, later):
    reader, writer = await served.connect()
    writer.write(b"GET /later HTTP/1.1\r\nHost: h\r\n\r\n")
    exchange = await later.next()
    writer.write(post(b"/unlimited", b"x" * 30_000_000) + GET)
    await asyncio.sleep(0.1)
    (connection,) = served.http.connections
    assert connection._reader.waiting < 2_000_000
    exchange.respond(200, b"first")
    answers = await asyncio.wait_for(reader.readuntil(b"{}"), 30)
    assert b"30000000" in answers


async def test_chunked_bodies_and_dribbled_requests(served):
    reader, writer = await served.connect()
    wire = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    for byte in wire:
        writer.write(bytes([byte]))
        await asyncio.sleep(0)
    assert (await until_silent(reader)).endswith(b"\r\n\r\nabc")


async def test_leave_to_send_the_body_is_given(served):
    reader, writer = await served.connect()
    writer.write(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    assert await until_silent(reader, 0.05) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"abc")
    assert (await until_silent(reader, 0.05)).endswith(b"\r\n\r\nabc")


async def test_no_leave_for_a_body_that_is_too_large(served):
    raw = await served.ask(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\nExpect: 100-continue\r\n\r\n")
    assert raw.startswith(b"HTTP/1.1 413 ")


BODIES = {
    "declared": b"Content-Length: 101\r\n\r\n",
    "chunked": b"Transfer-Encoding: chunked\r\n\r\n65\r\n",
    "malformed": b"Transfer-Encoding: chunked\r\n\r\nx\r\n",
}


@pytest.mark.parametrize(("method", "body", "status"), [
    (b"POST", "declared", b"413"), (b"POST", "chunked", b"413"), (b"POST", "malformed", b"499"),
    (b"PUT", "declared", b"405"), (b"PUT", "chunked", b"405"), (b"PUT", "malformed", b"405"),
])  # fmt: skip
async def test_the_endpoint_answers_for_a_body_that_is_not_read(served, method, body, status):
    raw = await served.ask(method + b" /judge HTTP/1.1\r\nHost: h\r\n" + BODIES[body])
    assert raw.startswith(b"HTTP/1.1 " + status)
    assert b"\r\nX-Own: 1\r\n" in raw
    assert b"\r\nConnection: close\r\n" in raw
    assert raw.endswith(b"<EOF>")


async def test_what_follows_an_unread_body_is_no_request(served):
    raw = await served.ask(post(b"/judge", b"x" * 101) + GET)
    assert raw.count(b"HTTP/1.1 ") == 1


async def test_no_leave_for_a_body_that_the_endpoint_does_not_want(served):
    head = b"PUT /judge HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    raw = await served.ask(head)
    assert raw.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nConnection: close\r\n" in raw


async def test_leave_is_given_though_the_body_is_there_and_the_endpoint_says_who_goes_on(served):
    head = b"POST /judge HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    raw = await served.ask(head + b"abc" + GET)
    assert raw.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert b"\r\n\r\nagain: abc" in raw
    assert raw.endswith(b"{}")


@pytest.mark.parametrize(("size", "status"), [(100, b"200 OK"), (101, b"413 Request Entity Too Large")])
async def test_the_body_limit(served, size, status):
    raw = await served.ask(post(b"/echo", b"x" * size))
    assert raw.startswith(b"HTTP/1.1 " + status)


async def test_413_reaches_a_client_that_is_still_sending(served):
    reader, writer = await served.connect()
    writer.write(post(b"/echo", b"x" * 5_000_000))
    answer = await until_silent(reader, 1)
    status, headers, body = parts(answer)
    assert status == b"HTTP/1.1 413 Request Entity Too Large"
    assert (headers[b"Connection"], headers[b"Content-Length"], body) == (b"close", b"0", b"<EOF>")


async def test_an_unlimited_body(served):
    assert b"3000000" in await served.ask(post(b"/unlimited", b"x" * 3_000_000))


async def test_http_1_0(served):
    assert (await served.ask(b"GET /now HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.0 200 OK\r\n")
    assert (await served.ask(b"GET /now HTTP/1.0\r\n\r\n")).endswith(b"{}<EOF>")
    kept = await served.ask(b"GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert b"\r\nConnection: keep-alive\r\n" in kept
    assert kept.endswith(b"{}")


async def test_connection_close_is_honoured(served):
    raw = await served.ask(b"GET /now HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + GET)
    assert raw.count(b"HTTP/1.1 200") == 1
    assert b"\r\nConnection: close\r\n" in raw
    assert raw.endswith(b"{}<EOF>")


async def test_head_and_bodyless_statuses(served):
    _, headers, body = parts(await served.ask(b"HEAD /now HTTP/1.1\r\nHost: h\r\n\r\n"))
    assert (headers[b"Content-Length"], body) == (b"2", b"")
    status, headers, body = parts(await served.ask(b"GET /empty HTTP/1.1\r\nHost: h\r\n\r\n"))
    assert (status, body, headers[b"X-Own"]) == (b"HTTP/1.1 204 No Content", b"", b"1")
    assert b"Content-Length" not in headers


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        pytest.param(b"garbage\n", b"400 Bad Request", id="not-http"),
        pytest.param(b"GET /now HTTP/1.1\r\n\r\n", b"400 Bad Request: missing required Host header", id="no-host"),
        pytest.param(b"GET /now HTTP/1.1\r\nHost: h\r\nA: \x00\r\n\r\n", b"400 Bad Request", id="nul"),
        pytest.param(b"GET / HTTP/1.1\r\nA: " + b"x" * 1_100_000, b"431 Request Header Fields Too Large", id="431"),
    ],
)
async def test_what_is_no_request_is_refused_and_the_connection_closed(served, raw, text):
    status, headers, body = parts(await served.ask(raw))
    assert status == b"HTTP/1.1 " + text
    assert headers == {b"Content-Type": b"text/plain; charset=utf-8", b"Connection": b"close"}
    assert body == text + b"<EOF>"


async def test_a_refusal_does_not_cost_the_answers_before_it(served):
    raw = await served.ask(GET + b"nonsense\r\n\r\n")
    assert raw.index(b"{}") < raw.index(b"400 Bad Request")


async def test_a_failing_endpoint_is_answered_with_500(served, caplog):
    raw = await served.ask(b"GET /fail HTTP/1.1\r\nHost: h\r\n\r\n" + GET)
    assert raw.startswith(b"HTTP/1.1 500 Internal Server Error")
    assert raw.endswith(b"{}")
    assert "endpoint failed" in caplog.text


async def test_random_bytes_do_no_harm(served):
    chance = random.Random(1)
    await asyncio.gather(*(served.ask(chance.randbytes(chance.randrange(1, 3000))) for _ in range(50)))
    assert (await served.ask(GET)).endswith(b"{}")


async def test_the_request_as_endpoints_see_it(served, later):
    _, writer = await served.connect()
    writer.write(post(b"/later?a=b", b"body", b"X: 1", b"X: 2"))
    request = (await later.next()).request
    assert (request.method, request.path, request.query, request.body) == ("POST", "/later", b"a=b", b"body")
    assert (request.raw_target, request.raw_path, request.version) == (b"/later?a=b", "/later", "1.1")
    assert request.all_values(b"x") == [b"1", b"2"]
    assert request.all_values(b"host") == (b"h",)
    assert request.all_values(b"none") == ()
    assert request.peer == f"127.0.0.1:{writer.get_extra_info('sockname')[1]}"
    assert request.tls is False


async def test_a_peer_that_goes_away_unanswered_is_reported(served, later):
    _, writer = await served.connect()
    writer.write(b"GET /later HTTP/1.1\r\nHost: h\r\n\r\n")
    exchange = await later.next()
    gone = asyncio.Event()
    exchange.on_closed = gone.set
    writer.transport.abort()
    await asyncio.wait_for(gone.wait(), 2)
    exchange.respond(200)
    exchange.abort()
    await asyncio.sleep(0.02)
    assert not served.http.connections


async def test_a_lost_connection_is_reported(served, later):
    _, writer = await served.connect()
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.write(b"GET /later HTTP/1.1\r\nHost: h\r\n\r\n")
    exchange = await later.next()
    gone = asyncio.Event()
    exchange.on_closed = gone.set
    writer.transport.abort()  # resets the connection
    await asyncio.wait_for(gone.wait(), 2)
    await asyncio.sleep(0.02)
    assert exchange.closed
    exchange.respond(200)
    assert (exchange.status, served.http.connections) == (0, set())


async def test_a_peer_that_only_stopped_sending_is_answered(served, later):
    reader, writer = await served.connect()
    writer.write(b"GET /later HTTP/1.1\r\nHost: h\r\n\r\n")
    writer.write_eof()
    exchange = await later.next()
    await asyncio.sleep(0.02)
    exchange.respond(200, b"still")
    assert (await until_silent(reader)).endswith(b"still<EOF>")


async def test_an_exchange_answers_once(served, later):
    reader, writer = await served.connect()
    writer.write(b"GET /later HTTP/1.1\r\nHost: h\r\n\r\n")
    exchange = await later.next()
    exchange.respond(200, b"one")
    exchange.respond(200, b"two")
    assert b"two" not in await until_silent(reader, 0.05)
    assert (exchange.status, exchange.closed) == (200, False)


async def test_an_exchange_may_abort(served, later):
    reader, writer = await served.connect()
    writer.write(b"GET /later HTTP/1.1\r\nHost: h\r\n\r\n")
    (await later.next()).abort()
    assert await until_silent(reader) == b"<EOF>"


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def test_an_upgrade_hands_the_socket_over(served, later):
    reader, writer = await served.connect()
    writer.write(b"GET /later HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\n\r\n")
    (await later.next()).upgrade(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", lambda transport: Echo())
    assert await until_silent(reader, 0.05) == b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    writer.write(b"ping")
    assert await until_silent(reader, 0.05) == b"ping"
    assert not served.http.connections
    served.push_clock(100)
    writer.write(b"no deadline")
    assert await until_silent(reader, 0.1) == b"no deadline"


async def test_bytes_behind_a_handshake_drop_the_connection(served, later):
    reader, writer = await served.connect()
    writer.write(b"GET /later HTTP/1.1\r\nHost: h\r\n\r\nearly")
    exchange = await later.next()
    made = []
    exchange.upgrade(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", made.append)
    assert await until_silent(reader) in (b"<EOF>", b"")
    assert made == []


# Requests with heads seen before, which take a shorter way if they come alone and whole. These tests say what comes in
# one read, so there is no socket.


class Recorder(asyncio.Transport):
    def __init__(self):
        super().__init__()
        self.bodies = []
        self.closed = False

    def write(self, data):
        self.bodies.append(data.partition(b"\r\n\r\n")[2])

    def can_write_eof(self):
        return False

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True


@pytest.fixture(scope="module")
def echo_server():
    routes = Routes()
    routes.add("/echo", lambda exchange: exchange.respond(200, exchange.request.body), max_body=100)
    return HttpServer(routes, TimingWheel())


def connect_to(server, *reads):
    """A connection that has received these reads, and what was answered."""
    connection, transport = server.new_connection(), Recorder()
    connection.connection_made(transport)
    for read in reads:
        connection.data_received(read)
    return connection, transport


WARM_UP = (post(b"/echo", b"first"), *(post(b"/echo", b"x" * size) for size in range(101)))


@given(st.lists(st.tuples(st.binary(max_size=100), st.booleans()), max_size=6), st.lists(st.integers(0, 900)))
def test_answers_do_not_depend_on_what_comes_in_one_read(echo_server, bodies, cuts):
    connection, transport = connect_to(echo_server, *WARM_UP)
    transport.bodies.clear()
    wire = b"".join(post(b"/echo", body) + b"\r\n" * line_end for body, line_end in bodies)
    at = 0
    for cut in [*sorted(min(cut, len(wire)) for cut in cuts), len(wire)]:
        if cut > at:
            connection.data_received(wire[at:cut])
        at = max(at, cut)
    assert transport.bodies == [body for body, _ in bodies]
    assert connection.is_idle


def test_a_known_head_without_its_end_is_waited_for(echo_server):
    raw = b"\r\n".join((b"POST /echo HTTP/1.1", b"Host: h", b"Content-Length: %d"))
    head = raw % (len(raw) - 2)
    connection, transport = connect_to(echo_server, *WARM_UP)
    assert echo_server.heads.get(head)
    transport.bodies.clear()
    connection.data_received(head + b"\r")  # as many bytes as a request would have whose head had no end
    assert (transport.bodies, connection.is_idle) == ([], False)


def test_what_is_too_large_is_refused_the_second_time_too(echo_server):
    for _ in range(2):
        _, transport = connect_to(echo_server, post(b"/echo", b""), post(b"/echo", b"x" * 101))
        assert transport.closed


def test_a_connection_that_is_closing_answers_no_known_heads(echo_server):
    connection, transport = connect_to(echo_server, *WARM_UP)
    connection.close()
    transport.bodies.clear()
    connection.data_received(WARM_UP[0])
    assert transport.bodies == []


# Deadlines, with the clock pushed by hand.


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        pytest.param(b"", 10, id="nothing-within-10s"),
        pytest.param(b"GET /now HT", 10, id="half-a-head-within-10s"),
        pytest.param(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na", 30, id="half-a-body-within-30s"),
    ],
)
async def test_an_unfinished_request_is_closed_without_an_answer(served, sent, seconds):
    reader, writer = await served.connect()
    writer.write(sent)
    await asyncio.sleep(0.03)
    served.push_clock(seconds - 0.5)
    await asyncio.sleep(0.03)
    assert not reader.at_eof()
    served.push_clock(1)
    assert await until_silent(reader) == b"<EOF>"


async def test_dribbling_does_not_extend_the_deadline(served):
    reader, writer = await served.connect()
    for byte in b"GET /now HTTP":
        if writer.transport.is_closing():
            break
        writer.write(bytes([byte]))
        await asyncio.sleep(0.01)
        served.push_clock(1)
    assert await until_silent(reader) in (b"<EOF>", b"")
    assert not served.http.connections


async def test_an_idle_connection_is_closed_after_30_seconds(served):
    reader, writer = await served.connect()
    writer.write(GET)
    await until_silent(reader, 0.05)
    served.push_clock(29)
    await asyncio.sleep(0.03)
    writer.write(GET)
    assert (await until_silent(reader, 0.05)).endswith(b"{}")
    served.push_clock(29)
    assert await is_silent(reader)
    served.push_clock(2)
    assert await until_silent(reader) == b"<EOF>"


async def test_the_second_request_has_10_seconds_for_its_head(served):
    reader, writer = await served.connect()
    writer.write(GET)
    await until_silent(reader, 0.05)
    served.push_clock(20)
    writer.write(b"GET /no")
    await asyncio.sleep(0.03)
    served.push_clock(9)
    assert await is_silent(reader)
    served.push_clock(2)
    assert await until_silent(reader) == b"<EOF>"


async def test_a_request_being_answered_has_no_deadline(served, later):
    reader, writer = await served.connect()
    writer.write(b"GET /later HTTP/1.1\r\nHost: h\r\n\r\n")
    exchange = await later.next()
    served.push_clock(1000)
    await asyncio.sleep(0.05)
    exchange.respond(200, b"late")
    assert (await until_silent(reader, 0.05)).endswith(b"late")


async def test_a_peer_that_does_not_take_its_answer_is_cut_off_after_10_seconds(served):
    _, writer = await served.connect(limit=1024)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    writer.transport.pause_reading()
    writer.write(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n" * 3)
    await asyncio.sleep(0.1)
    (connection,) = served.http.connections
    assert connection._write_blocked
    served.push_clock(9)
    await asyncio.sleep(0.05)
    assert served.http.connections
    served.push_clock(2)
    await asyncio.sleep(0.1)
    assert not served.http.connections


async def test_a_slow_peer_gets_everything(served):
    reader, writer = await served.connect(limit=1024)
    writer.write(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n" * 2 + GET)
    raw = await until_silent(reader, 0.5)
    assert raw.count(b"x") >= 16_000_000
    assert raw.endswith(b"{}")


async def test_a_peer_that_takes_its_answers_late_is_read_again(served):
    reader, writer = await served.connect(limit=1024)
    writer.transport.pause_reading()
    writer.write(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n" + post(b"/unlimited", b"x" * 200_000) * 3)
    await asyncio.sleep(0.1)
    (connection,) = served.http.connections
    assert connection._paused
    writer.transport.resume_reading()
    assert (await until_silent(reader, 0.3)).count(b"200000") == 3


async def test_closed_and_upgraded_connections_are_freed_without_the_collector(served, later):
    async def living():
        await asyncio.sleep(0.05)
        return sum(type(each).__name__ in ("HttpConnection", "RequestReader", "Exchange") for each in gc.get_objects())

    gc.collect()
    before = await living()
    gc.disable()
    try:
        for number in range(20):
            _, writer = await served.connect()
            writer.write(GET + b"GET /later HTTP/1.1\r\nHost: h\r\n\r\n")
            exchange = await later.next()
            if number % 2:
                exchange.upgrade(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", lambda transport: Echo())
            elif number % 4:
                exchange.respond(200)
            else:
                exchange.abort()
            writer.transport.abort()
        del exchange
        later.exchanges.clear()
        assert await living() == before
    finally:
        gc.enable()
