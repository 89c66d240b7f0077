import pytest
from hpack.hpack import encode_integer

from tests.support.http2_client import fields

PROTOCOL_ERROR = 1
REFUSED_STREAM = 7


async def test_a_request_is_answered(served):
    client = await served.connect()
    answer = await client.request("GET", "/echo")
    assert (answer.status, answer.body) == (200, b"GET")
    assert answer.header("x-own") == "1"
    assert answer.header("content-type") == "text/plain"
    assert answer.header("content-length") == "3"
    assert "GMT" in answer.header("date")


async def test_endpoints_see_the_request_as_on_http1(served, echo):
    client = await served.connect()
    await client.request("POST", "/echo?a=1", b"x", [("cookie", "a"), ("cookie", "b"), ("x-a", "1"), ("x-a", "2")])
    request = echo.exchanges[0].request
    assert (request.path, request.query, request.version) == ("/echo", b"a=1", "2.0")
    assert request.headers[b"host"] == b"localhost"
    assert request.headers[b"cookie"] == b"a; b"
    assert request.all_values(b"x-a") == [b"1", b"2"]
    assert request.peer.startswith("127.0.0.1:")


async def test_head_has_no_body(served):
    client = await served.connect()
    answer = await client.request("HEAD", "/echo")
    assert (answer.status, answer.body, answer.header("content-length")) == (200, b"", "4")


async def test_bodies_larger_than_all_windows_pass_both_ways(served):
    client = await served.connect()
    body = bytes(range(256)) * 16384
    answer = await client.request("POST", "/any", body)
    assert answer.body == body


async def test_many_requests_share_a_connection(served):
    client = await served.connect()
    numbers = [client.send(fields("GET", "/echo")) for _ in range(200)]
    answers = [await client.whole(number) for number in numbers]
    assert {(answer.status, answer.body) for answer in answers} == {(200, b"GET")}


@pytest.mark.parametrize(
    ("path", "status"), [("/nope", 404), ("//echo", 307), ("/./echo", 307), ("/echo/", 404), ("*", 400)]
)
async def test_paths_are_routed_as_on_http1(served, path, status):
    client = await served.connect()
    assert (await client.request("GET", path)).status == status


async def test_a_body_beyond_the_limit_gets_413(served):
    client = await served.connect()
    declared = await client.request("POST", "/echo", b"", [("content-length", "65537")])
    assert (declared.status, declared.body) == (413, b"")
    assert (await client.request("POST", "/echo", bytes(65537))).status == 413
    assert (await client.request("POST", "/echo", bytes(65536))).status == 200


@pytest.mark.parametrize("declared", [True, False])
async def test_the_endpoint_answers_for_a_body_beyond_the_limit(served, routes, declared):
    routes.add("/judge", lambda exchange: exchange.respond(405), max_body=10)
    client = await served.connect()
    headers = [("content-length", "11")] if declared else []
    assert (await client.request("PUT", "/judge", b"" if declared else bytes(11), headers)).status == 405
    assert (await client.request("POST", "/echo", b"after")).body == b"after"


async def test_leave_is_given_to_send_a_body(served):
    client = await served.connect()
    answer = await client.request("POST", "/echo", b"body", [("expect", "100-continue")])
    assert (answer.interim, answer.body) == ([100], b"body")


async def test_more_body_than_declared_is_a_stream_error(served):
    client = await served.connect()
    assert (await client.request("POST", "/echo", b"four", [("content-length", "3")])).reset == PROTOCOL_ERROR
    assert (await client.request("GET", "/echo")).status == 200


async def test_less_body_than_declared_cannot_be_read(served):
    client = await served.connect()
    assert (await client.request("POST", "/echo", b"four", [("content-length", "5")])).status == 500


@pytest.mark.parametrize(
    "malformed",
    [
        fields("GET", "/echo", ("Upper", "1")),
        fields("GET", "/echo", ("a b", "1")),
        fields("GET", "/echo", ("", "1")),
        fields("GET", "/echo", ("a", "x\ny")),
        fields("GET", "/echo", ("a", "1"), (":path", "/echo")),
        fields("GET", "/echo", scheme="ftp"),
        fields("GET", ""),
        fields("GET", "relative"),
        fields("", "/echo"),
        [*fields("GET", "/echo"), (":status", "200")],
        [*fields("GET", "/echo"), (":method", "GET")],
        fields("GET", "/echo")[:2],
        fields("CONNECT", "/echo"),
        [*fields("CONNECT", "/echo"), (":protocol", "websocket")],
        [("host", "h")],
    ],
)
async def test_malformed_requests_cost_their_stream_only(served, malformed):
    client = await served.connect()
    assert (await client.whole(client.send(malformed))).reset == PROTOCOL_ERROR
    assert (await client.request("GET", "/echo")).status == 200


@pytest.mark.parametrize("name", ["connection", "upgrade", "transfer-encoding", "keep-alive", "proxy-connection"])
async def test_headers_of_http1_are_refused(served, name):
    client = await served.connect()
    answer = await client.request("GET", "/echo", headers=[(name, "x")])
    assert answer.status == 400
    assert answer.body == f'request header "{name.title()}" is not valid in HTTP/2\n'.encode()


def plain_block(headers):
    """A header block of literals without any coding: the client's own is too slow for long ones."""
    return b"".join(b"\0" + plain(name) + plain(value) for name, value in headers)


def plain(text):
    return bytes(encode_integer(len(text), 7)) + text


@pytest.mark.parametrize(("count", "status"), [(31000, 200), (32000, 431)])
async def test_oversized_headers_get_431(served, count, status):
    client = await served.connect()
    client.engine.encoder.encode = plain_block
    number = client.send(fields("GET", "/echo", *[("x", "")] * count))
    assert (await client.whole(number)).status == status


async def test_huffman_coded_headers_are_bounded(served):
    client = await served.connect()
    length = encode_integer(140000, 7)
    length[0] |= 0x80
    coded = b"\0" + plain(b"x") + length + bytes(140000)  # to find out what it means would take 0.1 s
    client.engine.encoder.encode = lambda headers: plain_block(headers) + coded
    assert (await client.whole(client.send(fields("GET", "/echo")))).status == 431


async def test_one_stream_too_many_is_refused_and_no_other(serve_front, routes):
    waiting = []
    routes.add("/wait", waiting.append)
    served = await serve_front(routes)
    client = await served.connect()
    await client.until(lambda: client.engine.remote_settings.max_concurrent_streams == 250)
    client.engine.remote_settings[3] = 1000
    client.engine.remote_settings.acknowledge()
    numbers = [client.send(fields("GET", "/wait")) for _ in range(251)]
    assert (await client.whole(numbers[-1])).reset == REFUSED_STREAM
    for exchange in waiting:
        exchange.respond(200)
    assert {(await client.whole(number)).status for number in numbers[:-1]} == {200}


async def test_a_reset_request_is_lost_to_its_endpoint(serve_front, routes):
    waiting, closed = [], []
    routes.add("/wait", waiting.append)
    client = await (await serve_front(routes)).connect()
    number = client.send(fields("GET", "/wait"))
    await client.until(lambda: client.engine.remote_settings.max_concurrent_streams == 250)
    await client.request("GET", "/nope")
    waiting[0].on_closed = lambda: closed.append(waiting[0].closed)
    client.reset(number)
    await client.request("GET", "/nope")
    assert closed == [True]
    waiting[0].respond(200)  # does nothing
    assert (await client.request("GET", "/nope")).status == 404


async def test_an_endpoint_that_fails_costs_its_request_only(serve_front, routes, caplog):
    def fail(exchange):
        raise RuntimeError("broken")

    routes.add("/fail", fail)
    client = await (await serve_front(routes)).connect()
    assert (await client.request("GET", "/fail")).status == 500
    assert (await client.request("GET", "/nope")).status == 404
    assert "endpoint failed" in caplog.text
