"""Unidirectional WebSocket, SSE and HTTP streaming (02 §9, checks 30 to 37)."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.acceptance.configs import OPEN
from tests.support.listener import HTTP_STREAM, SSE, TRANSPORTS, WEBSOCKET, listening, raw_websocket
from tests.support.relay import Relay
from tests.support.server import merge
from tests.support.tokens import token
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conftest import StartServer
    from tests.support.server import Server

ENABLED: dict[str, Any] = {name: {"enabled": True} for name in (*TRANSPORTS, "http_stream")}
LISTENING = merge(OPEN, ENABLED)
TOKENS = merge(LISTENING, {"client": {"allow_anonymous_connect_without_token": False}})
BRISK = merge(LISTENING, {"client": {"ping_interval": "1s", "pong_timeout": "0.5s", "stale_close_delay": "1s"}})
STREAM_HEADERS = {
    "Connection": "keep-alive",
    "X-Accel-Buffering": "no",
    "Cache-Control": "private, no-cache, no-store, must-revalidate, max-age=0",
    "Pragma": "no-cache",
    "Expire": "0",
}


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """Each of the three."""
    return str(request.param)


@pytest.fixture
def server(shared_server: StartServer) -> Server:
    """Everybody may listen."""
    return shared_server(LISTENING)


@pytest.fixture
def strict(shared_server: StartServer) -> Server:
    """Who listens needs a token."""
    return shared_server(TOKENS)


@pytest.fixture
def brisk(shared_server: StartServer) -> Server:
    """A server on which time runs fast."""
    return shared_server(BRISK)


# ------------------------------------------------------------------------------------------------- what all share


async def test_the_first_push_is_connect(server: Server, transport: str) -> None:  # 02-30, 02-32, 02-33
    async with listening(server, transport) as listener:
        connect = await listener.connected()
        assert connect.keys() == {"client", "version", "ping", "session"}
        assert connect["ping"] == 25
        assert connect["session"] != connect["client"]


@pytest.mark.parametrize("kind", [WEBSOCKET, SSE])
async def test_the_request_may_stand_in_the_query(strict: Server, kind: str, name: str) -> None:  # 02-33
    request = {"token": token(name), "subs": {name: {}}}
    async with listening(strict, kind, request, in_query=True) as listener:
        assert (await listener.connected())["subs"].keys() == {name}


async def test_wishes_come_true_as_far_as_they_are_allowed(strict: Server, transport: str, name: str) -> None:
    wishes = {channel: {} for channel in (name, f"closed:{name}", f"dm:{name}#other", f"rec:{name}")}
    async with listening(strict, transport, {"token": token(name), "subs": wishes}) as listener:
        subs = (await listener.connected())["subs"]
        assert subs.keys() == {name, f"rec:{name}"}
        assert subs[f"rec:{name}"]["recoverable"]
    async with listening(strict, transport, {"token": token(name), "subs": {"nobody:x": {}}}) as listener:
        assert await listener.closed() == (3501, "bad request")


async def test_everything_that_happens_is_pushed(strict: Server, transport: str, name: str) -> None:
    channel = f"joins:{name}"
    async with listening(strict, transport, {"token": token(name), "subs": {channel: {}}}) as listener:
        client = (await listener.connected())["client"]
        assert (await listener.push())["join"]["info"]["client"] == client
        await strict.api("publish", {"channel": channel, "data": {"n": 1}, "tags": {"a": "b"}})
        assert await listener.push() == {"channel": channel, "pub": {"data": {"n": 1}, "tags": {"a": "b"}}}
        await strict.api("subscribe", {"user": name, "channel": name, "data": {"hello": 1}})
        assert await listener.push() == {"channel": name, "subscribe": {"data": {"hello": 1}}}
        await strict.api("unsubscribe", {"user": name, "channel": name})
        assert await listener.push() == {
            "channel": name,
            "unsubscribe": {"code": 2000, "reason": "server unsubscribe"},
        }
        await strict.api("refresh", {"user": name, "expire_at": int(time.time()) + 3600})
        refresh = (await listener.push())["refresh"]
        assert refresh["expires"]
        assert 3590 <= refresh["ttl"] <= 3600
        await strict.api("disconnect", {"user": name, "disconnect": {"code": 4001, "reason": "bye"}})
        assert await listener.closed() == (4001, "bye")


async def test_who_comes_back_gets_what_was_missed(server: Server, transport: str, name: str) -> None:
    channel = f"rec:{name}"
    async with listening(server, transport, {"subs": {channel: {}}}) as listener:
        before = (await listener.connected())["subs"][channel]
        await server.api("publish", {"channel": channel, "data": "seen"})
        seen = (await listener.push())["pub"]
    for text in ("missed", "as well"):
        await server.api("publish", {"channel": channel, "data": text})
    wish = {"recover": True, "epoch": before["epoch"], "offset": seen["offset"]}
    async with listening(server, transport, {"subs": {channel: wish}}) as listener:
        after = (await listener.connected())["subs"][channel]
        assert (after["recovered"], after["was_recovering"]) == (True, True)
        assert [one["data"] for one in after["publications"]] == ["missed", "as well"]
        await server.api("publish", {"channel": channel, "data": "live"})
        assert await listener.publication() == "live"


async def test_deltas_come_where_they_are_asked_for(server: Server, transport: str, name: str) -> None:
    channel = f"delta:{name}"
    async with listening(server, transport, {"subs": {channel: {"delta": "fossil"}}}) as listener:
        assert (await listener.connected())["subs"][channel]["delta"]
        for number in range(2):
            await server.api("publish", {"channel": channel, "data": {"text": "x" * 100, "number": number}})
        first, second = [(await listener.push())["pub"] for _ in range(2)]
        assert json.loads(first["data"])["number"] == 0
        assert second["delta"]
        assert len(second["data"]) < len(first["data"])


async def test_pings_come_and_need_no_answer(brisk: Server, transport: str) -> None:  # 02-32
    async with listening(brisk, transport) as listener:
        await listener.connected()
        assert [await listener.next() for _ in range(3)] == [{}] * 3


async def test_commands_may_come_by_other_requests(server: Server, transport: str, name: str) -> None:  # 02 7.4
    async with listening(server, transport) as listener:
        session = (await listener.connected())["session"]
        assert await emulate(server, session, {"id": 2, "subscribe": {"channel": name}}) == 204
        assert await listener.push() == {"id": 2, "subscribe": {}}
        await server.api("publish", {"channel": name, "data": 1})
        assert await listener.publication() == 1
        assert await emulate(server, session, {"id": 3, "subscribe": {"channel": f"closed:{name}"}}) == 204
        assert (await listener.push())["error"]["code"] == 103
        assert await emulate(server, session, {"id": 4, "connect": {}}) == 204
        assert await listener.closed() == (3501, "bad request")


async def emulate(server: Server, session: str, command: Mapping[str, Any]) -> int:
    node = (await server.api("info"))["nodes"][0]["uid"]
    body = {"session": session, "node": node, "data": json.dumps(command)}
    async with aiohttp.ClientSession() as http, http.post(f"{server.url}/emulation", json=body) as answer:
        return answer.status


async def test_who_leaves_is_gone(strict: Server, transport: str, name: str) -> None:
    async with listening(strict, transport, {"token": token(name), "subs": {f"all:{name}": {}}}) as listener:
        await listener.connected()
        assert (await strict.api("presence_stats", {"channel": f"all:{name}"}))["num_clients"] == 1

    async def nobody() -> bool:
        return bool((await strict.api("presence_stats", {"channel": f"all:{name}"}))["num_clients"] == 0)

    await until(nobody)


async def test_everybody_is_told_of_a_shutdown(private_server: StartServer) -> None:  # 02-52
    server = private_server(LISTENING)
    async with AsyncExitStack() as stack:
        listeners = [await stack.enter_async_context(listening(server, kind)) for kind in TRANSPORTS for _ in range(3)]
        for listener in listeners:
            await listener.connected()
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        assert {await listener.closed() for listener in listeners} == {(3001, "shutdown")}
        assert {listener.clean for listener in listeners} == {True}
        assert await stopping == 0


async def test_who_reads_too_slowly_is_sent_away(shared_server: StartServer, transport: str, name: str) -> None:
    server = shared_server(merge(LISTENING, {"client": {"queue_max_size": 300_000}}))
    async with AsyncExitStack() as stack:
        relay = await stack.enter_async_context(Relay(server.port, window=4096))
        subs = {f"all:{name}": {}}
        reader = await stack.enter_async_context(listening(server, transport, {"subs": subs}))
        slow_subs = subs | {f"asks:{name}": {}}
        slow = await stack.enter_async_context(listening(server, transport, {"subs": slow_subs}, url=relay.url))
        await reader.connected()
        await slow.connected()
        relay.stall()
        for number in range(200):
            await server.api("publish", {"channel": f"all:{name}", "data": f"{number} {'x' * 60_000}"})

        async def sent_away() -> bool:
            return f"asks:{name}" not in (await server.api("channels"))["channels"]

        await until(sent_away)
        for number in range(200):
            assert (await reader.publication()).startswith(f"{number} ")


# ----------------------------------------------------------------------------------------------- failed connects

RENEW = {"code": 109, "to": {"code": 4109, "reason": "renew"}}
UNKNOWN = {"code": 102, "to": {"code": 4102, "reason": "no such"}}


@pytest.mark.parametrize(
    ("claims", "code", "reason"),
    [
        pytest.param({"exp": 1}, 3005, "connection expired", id="02-37"),
        pytest.param({"channels": ["nobody:x"]}, 3004, "internal server error", id="unknown-channel"),
        pytest.param({"channels": [f"c{number}" for number in range(129)]}, 3505, "channel limit", id="limit"),
    ],
)
async def test_a_refused_token_ends_the_connection(
    strict: Server, transport: str, claims: dict[str, Any], code: int, reason: str
) -> None:
    async with listening(strict, transport, {"token": token("u", **claims)}) as listener:
        assert await listener.closed() == (code, reason)
        assert listener.close_frame == ((code, reason) if transport == WEBSOCKET else None)
        assert listener.clean


@pytest.mark.parametrize(
    ("request_", "code", "reason"),
    [
        pytest.param({"token": "x"}, 3500, "invalid token", id="02-31"),
        pytest.param({}, 3501, "bad request", id="03-47"),
    ],
)
async def test_who_has_no_valid_token_is_sent_away(
    strict: Server, transport: str, request_: dict[str, Any], code: int, reason: str
) -> None:
    async with listening(strict, transport, request_) as listener:
        assert await listener.closed() == (code, reason)


async def test_errors_become_the_disconnects_that_are_configured(
    shared_server: StartServer, transport: str
) -> None:  # 02-37
    transforms = {"connect_code_to_unidirectional_disconnect": {"enabled": True, "transforms": [RENEW, UNKNOWN]}}
    server = shared_server(merge(TOKENS, {"client": transforms}))
    for claims, expected in (
        ({"exp": 1}, (4109, "renew")),
        ({"channels": ["nobody:x"]}, (4102, "no such")),
        ({"channels": [f"c{number}" for number in range(129)]}, (3505, "channel limit")),
    ):
        async with listening(server, transport, {"token": token("u", **claims)}) as listener:
            assert await listener.closed() == expected


RESPONSES = {
    "enabled": True,
    "transforms": [
        {"code": 3500, "to": {"status_code": 401, "body": "no"}},
        {"code": 3505, "to": {"status_code": 429}},
        {"code": 102, "to": {"status_code": 404}},
        {"code": 102, "to": {"status_code": 410}},
    ],
}


@pytest.fixture
def responding(shared_server: StartServer) -> Server:
    """Failed connects have responses of their own."""
    streams = {kind: {"connect_code_to_http_response": RESPONSES} for kind in (SSE, HTTP_STREAM)}
    return shared_server(merge(TOKENS, streams | {"client": {"allowed_origins": ["https://page"]}}))


@pytest.mark.parametrize("kind", [SSE, HTTP_STREAM])
@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        pytest.param({"token": "x"}, 401, "no", id="02-31"),
        pytest.param({"token": token("u", exp=1)}, 500, "Internal Server Error", id="02-31-unmapped"),
        pytest.param({"token": token("u", channels=["nobody:x"])}, 404, "unknown channel", id="message-and-first"),
        pytest.param({"token": token("u", channels=list(map(str, range(129))))}, 429, "channel limit", id="reason"),
        pytest.param({}, 500, "Internal Server Error", id="no-token"),
    ],
)
async def test_a_failed_connect_may_have_a_response_of_its_own(
    responding: Server, kind: str, request_: dict[str, Any], status: int, body: str
) -> None:
    url, headers = f"{responding.url}/connection/{kind}", {"Origin": "https://page"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, data=json.dumps(request_), headers=headers) as answer,
    ):
        assert (answer.status, await answer.text()) == (status, body)
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["Access-Control-Allow-Origin"] == "https://page"
        assert not STREAM_HEADERS.keys() - {"Connection"} & answer.headers.keys()


@pytest.mark.parametrize("kind", [SSE, HTTP_STREAM])
async def test_a_connect_that_succeeds_streams_as_ever(responding: Server, kind: str, name: str) -> None:
    async with listening(responding, kind, {"token": token(name), "subs": {name: {}}}) as listener:
        assert (await listener.connected())["subs"].keys() == {name}
        await responding.api("publish", {"channel": name, "data": "x"})
        assert await listener.publication() == "x"
        await responding.api("disconnect", {"user": name})
        assert await listener.closed() == (3503, "force disconnect")
        assert listener.clean


# ------------------------------------------------------------------------------------------------------- streams


@pytest.mark.parametrize(
    ("kind", "method", "content_type", "start"),
    [
        pytest.param(SSE, "GET", "text/event-stream; charset=utf-8", b'\r\ndata: {"connect":', id="sse-get"),
        pytest.param(SSE, "POST", "text/event-stream; charset=utf-8", b'\r\ndata: {"connect":', id="sse-post"),
        pytest.param(HTTP_STREAM, "POST", "text/plain; charset=utf-8", b'{"connect":', id="http_stream"),
    ],
)
async def test_how_a_stream_begins(server: Server, kind: str, method: str, content_type: str, start: bytes) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, f"{server.url}/connection/{kind}", data=b"{}" if method == "POST" else None) as answer,
    ):
        assert answer.status == 200
        assert answer.headers["Content-Type"] == content_type
        assert STREAM_HEADERS.items() <= dict(answer.headers).items()
        body = b""
        while len(body) < len(start):
            body += await answer.content.readany()
        assert body.startswith(start)


@pytest.mark.parametrize(
    ("kind", "method", "body", "status"),
    [
        pytest.param(HTTP_STREAM, "POST", b"", 400, id="02-30-empty"),
        pytest.param(HTTP_STREAM, "GET", None, 405, id="02-30-get"),
        pytest.param(HTTP_STREAM, "POST", b"{", 400, id="stream-malformed"),
        pytest.param(HTTP_STREAM, "POST", b"[]", 400, id="stream-list"),
        pytest.param(HTTP_STREAM, "PUT", b"{}", 405, id="stream-put"),
        pytest.param(HTTP_STREAM, "POST", b'{"name":"%b"}' % (b"x" * 65536), 413, id="stream-too-large"),
        pytest.param(SSE, "POST", b"", 400, id="sse-empty"),
        pytest.param(SSE, "POST", b"x", 400, id="sse-malformed"),
        pytest.param(SSE, "POST", b'{"name":"%b"}' % (b"x" * 65536), 413, id="sse-too-large"),
        pytest.param(SSE, "OPTIONS", None, 405, id="sse-options"),
        pytest.param(SSE, "HEAD", None, 405, id="sse-head"),
        pytest.param(SSE, "DELETE", None, 405, id="sse-delete"),
    ],
)
async def test_what_no_stream_begins_with(
    server: Server, kind: str, method: str, body: bytes | None, status: int
) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, f"{server.url}/connection/{kind}", data=body) as answer,
    ):
        assert (answer.status, await answer.read()) == (status, b"")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param(HTTP_STREAM, b"null", id="02-30"),
        pytest.param(SSE, b"null", id="sse"),
        pytest.param(HTTP_STREAM, b'{"unknown":1} and more', id="first-value"),
        pytest.param(HTTP_STREAM, b'{"name":"%b"}' % (b"x" * (65536 - 11)), id="as-large-as-may-be"),
    ],
)
async def test_what_counts_as_a_request(server: Server, kind: str, body: bytes) -> None:
    async with aiohttp.ClientSession() as http, http.post(f"{server.url}/connection/{kind}", data=body) as answer:
        assert answer.status == 200
        assert b'{"connect":' in await answer.content.readuntil(b"}")


async def test_a_get_without_request_listens_anonymously(server: Server) -> None:  # 02-32
    for query in ("", "?cf_connect=", "?other=1"):
        async with aiohttp.ClientSession() as http, http.get(f"{server.url}/connection/uni_sse{query}") as answer:
            assert answer.status == 200
    async with aiohttp.ClientSession() as http, http.get(f"{server.url}/connection/uni_sse?cf_connect=%7B") as answer:
        assert (answer.status, await answer.read()) == (400, b"")


async def test_the_preflight_of_a_stream(server: Server) -> None:
    async with aiohttp.ClientSession() as http, http.options(f"{server.url}/connection/uni_http_stream") as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Max-Age"] == "300"
        assert answer.headers["Access-Control-Allow-Methods"] == "POST, OPTIONS"


async def test_a_stream_is_readable_for_those_who_speak_http_1_0(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /connection/uni_sse HTTP/1.0\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200")
    assert b"chunked" not in head
    assert (await reader.readuntil(b"}\n\n")).startswith(b'\r\ndata: {"connect":')
    writer.close()


# ------------------------------------------------------------------------------------------------------ WebSocket


@pytest.mark.parametrize("first", ["x", "", "[]", '{"token":1}'])
async def test_a_bad_first_message_is_refused_without_a_push(server: Server, first: str) -> None:  # 02-33
    async with raw_websocket(server) as websocket:
        await websocket.send_str(first)
        frame = await websocket.receive()
        assert (frame.type, frame.data, frame.extra) == (aiohttp.WSMsgType.CLOSE, 3501, "bad request")


async def test_a_bad_request_in_the_query_is_refused_before_the_handshake(server: Server) -> None:  # 02-33
    url = f"{server.url}/connection/uni_websocket?cf_connect=x"
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        assert (answer.status, await answer.text()) == (400, "invalid connect request\n")
    async with aiohttp.ClientSession() as http, http.get(url.partition("?")[0]) as answer:
        assert (answer.status, await answer.text()) == (400, "Bad Request\n")


@pytest.mark.parametrize("query", ["?cf_connect=", "?cf_connect=null", "?cf_connect=%20null%20"])
async def test_without_a_request_in_the_query_the_first_message_is_it(server: Server, name: str, query: str) -> None:
    url = f"{server.url}/connection/uni_websocket{query}"
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as websocket:
        await websocket.send_str(json.dumps({"subs": {name: {}}}))
        assert json.loads((await websocket.receive()).data)["connect"]["subs"] == {name: {}}


async def test_what_a_listener_says_later_means_nothing_but_has_its_limit(server: Server, name: str) -> None:
    async with raw_websocket(server) as websocket:
        await websocket.send_str(json.dumps({"subs": {name: {}}}))
        assert json.loads((await websocket.receive()).data)["connect"]["subs"] == {name: {}}
        for message in ("x", '{"token":"x"}', "y" * 65536):
            await websocket.send_str(message)
        await server.api("publish", {"channel": name, "data": 1})
        assert json.loads((await websocket.receive()).data)["pub"]["data"] == 1
        await websocket.send_str("y" * 65537)
        frame = await websocket.receive()
        assert (frame.type, frame.data, frame.extra) == (aiohttp.WSMsgType.CLOSE, 1009, "")


async def test_no_subprotocol_is_agreed_on(server: Server) -> None:
    async with raw_websocket(server, protocols=["centrifuge-protobuf", "centrifuge-json"]) as websocket:
        assert websocket.protocol is None
        await websocket.send_str("{}")
        assert (await websocket.receive()).type is aiohttp.WSMsgType.TEXT


async def test_who_says_nothing_is_stale(brisk: Server) -> None:
    async with raw_websocket(brisk) as websocket:
        frames = [await websocket.receive() for _ in range(2)]
        frames = [frame for frame in frames if frame.type is not aiohttp.WSMsgType.PING] or frames
        assert json.loads(frames[0].data) == {"disconnect": {"code": 3502, "reason": "stale"}}
        closing = frames[1] if len(frames) > 1 else await websocket.receive()
        assert (closing.type, closing.data, closing.extra) == (aiohttp.WSMsgType.CLOSE, 3502, "stale")


async def test_ping_frames_come_beside_the_pings_and_want_an_answer(brisk: Server) -> None:  # 02-35
    async with (
        listening(brisk, WEBSOCKET) as answering,
        listening(brisk, WEBSOCKET, answers_ping_frames=False) as silent,
    ):
        for listener in (answering, silent):
            await listener.connected()
        assert await silent.next() == {}
        while await silent.next() is not None:
            pass
        assert silent.ping_frames == 1
        assert silent.close_frame is None
        while answering.ping_frames < 3:
            assert await answering.next() == {}
        assert answering.clean is None


@pytest.mark.parametrize(
    ("options", "push", "frame"),
    [
        pytest.param({}, True, True, id="02-34"),
        pytest.param({"disable_disconnect_push": True}, False, True, id="02-34-no-push"),
        pytest.param({"disable_closing_handshake": True}, True, False, id="02-34-no-handshake"),
        pytest.param({"disable_closing_handshake": True, "disable_disconnect_push": True}, False, False, id="neither"),
    ],
)
async def test_how_a_listener_learns_of_its_end(
    shared_server: StartServer, name: str, options: dict[str, Any], push: bool, frame: bool
) -> None:
    server = shared_server(merge(TOKENS, {"uni_websocket": options}))
    async with listening(server, WEBSOCKET, {"token": token(name), "subs": {name: {}}}) as listener:
        await listener.connected()
        await server.api("publish", {"channel": name, "data": "last words"})
        await server.api("disconnect", {"user": name, "disconnect": {"code": 4001, "reason": "bye"}})
        assert await listener.publication() == "last words"
        assert await listener.closed() == ((4001, "bye") if push else None)
        assert listener.close_frame == ((4001, "bye") if frame else None)
    async with raw_websocket(server) as websocket:
        await websocket.send_str("x")
        closing = await websocket.receive()
        assert closing.type is (aiohttp.WSMsgType.CLOSE if frame else aiohttp.WSMsgType.CLOSED)


@pytest.mark.parametrize("join", [False, True], ids=["apart", "joined"])
async def test_pushes_share_frames_only_where_that_is_configured(
    shared_server: StartServer, name: str, join: bool
) -> None:  # 02-36
    server = shared_server(merge(LISTENING, {"uni_websocket": {"join_push_messages": join}}))
    async with listening(server, WEBSOCKET, {"subs": {name: {}}}) as listener:
        await listener.connected()
        await server.api("broadcast", {"channels": [name] * 10, "data": "x"})
        assert [await listener.publication() for _ in range(10)] == ["x"] * 10
        pushed = [frame for frame in listener.frames if '"pub"' in frame]
        assert (len(pushed) < 10) is join
        assert not any(frame.endswith("\n") for frame in listener.frames)


@pytest.mark.parametrize("join", [False, True], ids=["apart", "joined"])
async def test_frames_are_compressed_where_that_is_agreed_on(shared_server: StartServer, name: str, join: bool) -> None:
    settings = {"compression": True, "compression_min_size": 100, "join_push_messages": join}
    server = shared_server(merge(LISTENING, {"uni_websocket": settings}))
    async with raw_websocket(server, compress=15) as websocket:
        assert websocket.compress
        await websocket.send_str(json.dumps({"subs": {name: {}}, "name": "x" * 200}))
        assert json.loads((await websocket.receive()).data)["connect"]["subs"] == {name: {}}
        for size in (10, 1000):
            await server.api("publish", {"channel": name, "data": "x" * size})
            assert json.loads((await websocket.receive()).data)["pub"]["data"] == "x" * size


async def test_a_listener_may_close(server: Server, name: str) -> None:
    async with raw_websocket(server) as websocket:
        await websocket.send_str(json.dumps({"subs": {f"all:{name}": {}}}))
        await websocket.receive()
        await websocket.close(code=1000)

    async def nobody() -> bool:
        return f"all:{name}" not in (await server.api("channels"))["channels"]

    await until(nobody)


async def test_a_page_of_elsewhere_may_not_upgrade(server: Server) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with raw_websocket(server, origin="https://elsewhere"):
            pass
    assert refused.value.status == 403
