"""HTTP streaming, SSE and the emulation endpoint, seen over HTTP (02 §7, checks 21 to 29 and 51)."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.acceptance.configs import OPEN, QUICK
from tests.support import protobuf
from tests.support.server import merge
from tests.support.stream_client import BINARY, stream_opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import StartServer
    from tests.support.server import Server

ORIGIN = "https://page.example"
STREAMS: dict[str, Any] = {
    "client": {"allowed_origins": [ORIGIN]},
    "http_stream": {"enabled": True},
    "sse": {"enabled": True},
}
HTTP_STREAM, SSE, EMULATION = "/connection/http_stream", "/connection/sse", "/emulation"
CONNECT = '{"id":1,"connect":{}}'
LIMIT = 65536
CORS = {
    "Access-Control-Allow-Origin": ORIGIN,
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Allow-Headers": "content-type",
}
STREAM_HEADERS = {
    "Connection": "keep-alive",
    "X-Accel-Buffering": "no",
    "Cache-Control": "private, no-cache, no-store, must-revalidate, max-age=0",
    "Pragma": "no-cache",
    "Expire": "0",
    "Transfer-Encoding": "chunked",
}
BAD_REQUEST = '{"push":{"disconnect":{"code":3501,"reason":"bad request"}}}'


@pytest.fixture
def server(shared_server: StartServer) -> Server:
    return shared_server(merge(OPEN, STREAMS))


@pytest.fixture
def quick(shared_server: StartServer) -> Server:
    return shared_server(merge(QUICK, STREAMS))


@asynccontextmanager
async def asked(server: Server, method: str, path: str, **how: Any) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer to one request, as soon as its head has come."""
    async with aiohttp.ClientSession() as http, http.request(method, server.url + path, **how) as answer:
        yield answer


async def line_of(answer: aiohttp.ClientResponse) -> bytes:
    return await asyncio.wait_for(answer.content.readline(), 5)


async def status_of(server: Server, method: str, path: str, **how: Any) -> int:
    async with asked(server, method, path, **how) as answer:
        assert await answer.read() == b""
        return answer.status


async def test_a_stream_begins_with_its_headers_and_the_connect_reply(server: Server) -> None:  # 02-21
    async with asked(server, "POST", HTTP_STREAM, data=CONNECT) as answer:
        assert answer.status == 200
        assert answer.headers.items() >= STREAM_HEADERS.items()
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        result = json.loads(await line_of(answer))["connect"]
        assert {"client", "session", "node", "ping", "pong"} <= result.keys()


async def test_pings_are_empty_lines_and_events(quick: Server) -> None:  # 02-21, 02 5
    async with asked(quick, "POST", HTTP_STREAM, data=CONNECT) as answer:
        await line_of(answer)
        assert await line_of(answer) == b"{}\n"
    async with asked(quick, "GET", SSE, params={"cf_connect": CONNECT}) as answer:
        lines = [await line_of(answer) for _ in range(5)]
        assert lines[0] == b"\r\n"
        assert lines[1].startswith(b'data: {"id":1,')
        assert lines[2:] == [b"\n", b"data: {}\n", b"\n"]


async def test_only_the_exact_type_makes_it_protobuf(server: Server) -> None:  # 02-22
    command = protobuf.encoded({"id": 1, "connect": {}})
    async with asked(server, "POST", HTTP_STREAM, data=command, headers={"Content-Type": BINARY}) as answer:
        assert answer.headers["Content-Type"] == BINARY
        (reply,) = protobuf.decoded(await answer.content.readany())
        assert reply["connect"]["session"]
    headers = {"Content-Type": f"{BINARY}; charset=x"}
    async with asked(server, "POST", HTTP_STREAM, data=command, headers=headers) as answer:
        assert await answer.text() == BAD_REQUEST + "\n"
    async with asked(server, "POST", HTTP_STREAM, data=CONNECT, headers=headers) as answer:
        assert (await line_of(answer)).startswith(b'{"id":1,"connect"')


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", HTTP_STREAM, 405, id="02-23-stream-get"),
        pytest.param("HEAD", HTTP_STREAM, 405, id="stream-head"),
        pytest.param("GET", SSE, 400, id="02-25-no-commands"),
        pytest.param("GET", SSE + "?cf_connect=", 400, id="02-25-empty-commands"),
        pytest.param("HEAD", SSE + "?cf_connect=x", 405, id="sse-head"),
        pytest.param("OPTIONS", SSE, 405, id="02-25-preflight"),
        pytest.param("PUT", SSE, 405, id="sse-put"),
        pytest.param("GET", EMULATION, 405, id="02-27-get"),
        pytest.param("PUT", EMULATION, 405, id="emulation-put"),
    ],
)
async def test_what_is_no_connection_is_refused_with_an_empty_body(
    server: Server, method: str, path: str, status: int
) -> None:
    assert await status_of(server, method, path) == status


@pytest.mark.parametrize("path", [HTTP_STREAM, EMULATION])
async def test_a_preflight_is_answered(server: Server, path: str) -> None:  # 02-23, 02-24
    asks = {"Origin": ORIGIN, "Access-Control-Request-Headers": "content-type"}
    offered = {"Access-Control-Max-Age": "300", "Access-Control-Allow-Methods": "POST, OPTIONS"}
    async with asked(server, "OPTIONS", path, headers=asks) as answer:
        assert (answer.status, await answer.read()) == (204, b"")
        assert answer.headers.items() >= (offered | CORS).items()
    async with asked(server, "OPTIONS", path, headers=asks | {"Origin": "https://other.example"}) as answer:
        assert answer.headers.items() >= offered.items()
        assert not CORS.keys() & answer.headers.keys()


@pytest.mark.parametrize("path", [HTTP_STREAM, SSE])
async def test_a_foreign_origin_is_served_but_its_page_may_not_read(server: Server, path: str) -> None:  # 02-24
    for origin, allowed in ((ORIGIN, True), ("https://other.example", False)):
        async with asked(server, "POST", path, data=CONNECT, headers={"Origin": origin}) as answer:
            assert answer.status == 200
            assert ("Access-Control-Allow-Origin" in answer.headers) == allowed
            line = await line_of(answer) if path == HTTP_STREAM else [await line_of(answer) for _ in range(2)][1]
            assert b'"connect":{' in line


@pytest.mark.parametrize("path", [HTTP_STREAM, SSE, EMULATION])
async def test_a_body_may_have_the_limit_and_not_a_byte_more(server: Server, path: str) -> None:  # 02-23, 02-27
    async with asked(server, "POST", path, data="x" * LIMIT) as answer:
        assert answer.status == (400 if path == EMULATION else 200)
    assert await status_of(server, "POST", path, data="x" * (LIMIT + 1)) == 413


@pytest.mark.parametrize("path", [HTTP_STREAM, SSE, EMULATION])
async def test_who_sends_too_much_gets_the_answer_that_others_get(server: Server, path: str) -> None:  # 02 3.6
    too_much: Any = {"data": "x" * (LIMIT + 1), "headers": {"Origin": ORIGIN}}
    async with asked(server, "POST", path, **too_much) as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (413, ORIGIN)
    async with asked(server, "PUT", path, **too_much) as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (405, ORIGIN)
    async with asked(server, "OPTIONS", path, **too_much) as answer:
        assert answer.status == (405 if path == SSE else 204)
    if path == SSE:
        async with asked(server, "GET", path, params={"cf_connect": CONNECT}, **too_much) as answer:
            assert answer.status == 200


async def test_a_limit_of_its_own(shared_server: StartServer) -> None:
    sections = ("http_stream", "sse", "emulation")
    server = shared_server(merge(merge(OPEN, STREAMS), {name: {"max_request_body_size": 100} for name in sections}))
    for path in (HTTP_STREAM, SSE, EMULATION):
        assert await status_of(server, "POST", path, data="x" * 101) == 413
    async with asked(server, "GET", SSE, params={"cf_connect": CONNECT + " " * 200}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        pytest.param("POST", HTTP_STREAM, "", BAD_REQUEST + "\n", id="02-23"),
        pytest.param("POST", SSE, "", f"\r\ndata: {BAD_REQUEST}\n\n", id="02-25-empty-post"),
        pytest.param("GET", SSE + "?cf_connect=x", "", f"\r\ndata: {BAD_REQUEST}\n\n", id="02-25-malformed"),
        pytest.param("POST", HTTP_STREAM, '{"id":1,"rpc":{}}', BAD_REQUEST + "\n", id="another-command"),
    ],
)
async def test_a_bad_frame_gets_a_stream_that_ends_with_the_reason(
    server: Server, method: str, path: str, body: str, expected: str
) -> None:
    async with asked(server, method, path, data=body or None, headers={"Content-Type": "text/plain"}) as answer:
        assert (answer.status, await answer.text()) == (200, expected)


async def test_an_event_stream_opens_before_the_first_event(server: Server) -> None:  # 02-25
    async with asked(server, "GET", SSE, params={"cf_connect": CONNECT}) as answer:
        assert answer.headers.items() >= STREAM_HEADERS.items()
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert await line_of(answer) == b"\r\n"
        assert (await line_of(answer)).startswith(b'data: {"id":1,"connect":{')
        assert await line_of(answer) == b"\n"


async def test_an_event_is_one_line_whatever_spacing_its_payload_has(server: Server, name: str) -> None:  # Q16, D50
    async with stream_opened(server, "sse") as client:
        await client.connect()
        await client.subscribe(name)
        await server.post("publish", f'{{"channel":"{name}","data":{{\r\n"a":\r1,"b":"\\r\\n"\n}}}}')
        assert (await client.publication())["data"] == {"a": 1, "b": "\r\n"}


async def test_clients_of_http_1_0_get_the_body_without_chunks(server: Server) -> None:  # 02 7.1
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"POST {HTTP_STREAM} HTTP/1.0\r\nContent-Length: 1\r\n\r\nx".encode())
    head, _, body = (await asyncio.wait_for(reader.read(-1), 5)).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.0 200 OK")
    assert b"Transfer-Encoding" not in head
    assert b"Connection" not in head
    assert body == BAD_REQUEST.encode() + b"\n"


@pytest.mark.parametrize("is_protobuf", [False, True])
async def test_commands_run_by_requests_of_their_own(server: Server, name: str, is_protobuf: bool) -> None:  # 02-26
    async with stream_opened(server, "http_stream", is_protobuf=is_protobuf) as client:
        await client.connect()
        assert await client.subscribe(name) == {}
        assert await client.error(history={"channel": name, "limit": 1}) == 108
        assert await client.error(subscribe={"channel": name}) == 105


async def test_what_an_emulation_request_is_answered(server: Server) -> None:  # 02-27
    async with stream_opened(server, "http_stream") as client:
        await client.connect()
        request = {"session": client.session, "node": client.node, "data": "{}"}

        async def answered(**other: Any) -> int:
            return await client.post_emulation(json.dumps(request | other).encode())

        assert await answered(node="unknown") == 404
        assert await answered(session="unknown") == 204
        assert await answered(data={"id": 2}) == 204
        assert await client.post_emulation(b"{") == 400
        assert await client.post_emulation(b"x" * (LIMIT + 1)) == 413
        assert await client.error(rpc={"method": "none"}) == 108
        assert await answered(data="") == 204
        assert await client.closed() == (3501, "bad request")
        assert not client.broken_off
        assert await answered() == 204


async def test_the_encoding_of_the_connection_counts_not_that_of_the_request(server: Server) -> None:  # 02 7.4
    async with stream_opened(server, "http_stream") as client:
        await client.connect()
        body = client.emulation_request(b'"{\\"id\\":9,\\"rpc\\":{}}"')
        headers = {"Content-Type": BINARY}
        assert await status_of(server, "POST", EMULATION, data=body, headers=headers) == 204
        assert (await client.receive())["id"] == 9


async def test_many_requests_at_once_run_all_their_commands(server: Server, name: str) -> None:
    async with stream_opened(server, "http_stream") as client:
        await client.connect()
        frames = [
            "\n".join(
                json.dumps({"id": 100 * request + number, "presence_stats": {"channel": f"all:{name}"}})
                for number in range(1, 31)
            )
            for request in range(1, 11)
        ]
        assert set(await asyncio.gather(*map(client.emulate, frames))) == {204}
        ids = [(await client.receive())["id"] for _ in range(300)]
        for request in range(1, 11):
            assert [one for one in ids if one // 100 == request] == [100 * request + number for number in range(1, 31)]


@pytest.mark.parametrize("transport", ["http_stream", "sse"])
async def test_pongs_come_by_requests(quick: Server, transport: str) -> None:  # 02-29
    async with (
        stream_opened(quick, transport) as client,
        stream_opened(quick, transport, answers_pings=False) as silent,
    ):
        await client.connect()
        await silent.connect()
        assert await silent.closed() == (3012, "no pong")
        assert not silent.broken_off
        await client.ping()
        await client.ping()
        assert await client.emulate('{"id":5,"rpc":{}}') == 204


async def test_streams_are_off_unless_asked_for(shared_server: StartServer) -> None:  # 02 2.1
    server = shared_server(merge(OPEN, {"sse": {"enabled": True}}))
    for path, status in ((HTTP_STREAM, 404), (SSE, 400), (EMULATION, 405)):
        async with asked(server, "GET", path) as answer:
            assert answer.status == status


async def test_prefixes_move_them(shared_server: StartServer) -> None:
    sections = {"http_stream": "/hs/", "sse": "/events", "emulation": "/commands"}
    server = shared_server(merge(merge(OPEN, STREAMS), {name: {"handler_prefix": at} for name, at in sections.items()}))
    for path, status in (("/hs", 405), ("/hs/", 404), ("/events", 400), ("/commands", 405), (EMULATION, 404)):
        async with asked(server, "GET", path) as answer:
            assert answer.status == status


async def test_the_limits_and_the_user_header_hold_for_streams(shared_server: StartServer) -> None:  # 02-39, 02-42
    client = {"connection_limit": 1, "user_id_http_header": "X-User", "allow_anonymous_connect_without_token": False}
    server = shared_server(merge(merge(OPEN, STREAMS), {"client": client}))
    async with asked(server, "POST", HTTP_STREAM, data=CONNECT, headers={"X-User": "seven"}) as answer:
        assert b'"connect"' in await line_of(answer)
        for path in (HTTP_STREAM, SSE):
            assert await status_of(server, "POST", path, data=CONNECT) == 503
        assert await status_of(server, "POST", EMULATION, data="{}") == 404
        await server.api("disconnect", {"user": "seven"})
        assert b'"code":3503' in await line_of(answer)
        assert await answer.content.read() == b""
