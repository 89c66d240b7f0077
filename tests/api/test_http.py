"""The API over real HTTP (05 §2; checks 2-8, 16, 24, 25, 29, 31, 32)."""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from fanjet.api.http import HttpApi
from fanjet.net.http1 import HttpServer
from fanjet.net.router import Routes
from fanjet.net.timing_wheel import TimingWheel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.api.fake_node import FakeNode

JSON_TYPE = "application/json"
TEXT_TYPE = "text/plain; charset=utf-8"
KEY = {"X-API-Key": "K"}
TRANSPORT = {**KEY, "X-Centrifugo-Error-Mode": "transport"}


class Caller:
    """Sends requests to one listener and reads the answers."""

    def __init__(self, base: str, session: aiohttp.ClientSession) -> None:
        self.base = base
        self.session = session

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, str, bytes]:
        """Status, content type and body of an answer."""
        answer = await self.session.request(
            method, self.base + path, data=io.BytesIO(body), headers=KEY if headers is None else headers
        )
        async with answer:
            content = await answer.read()
            if content and answer.headers["Content-Type"] == TEXT_TYPE:
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
            return answer.status, answer.headers.get("Content-Type", ""), content

    async def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Status and decoded JSON of the answer to a POST."""
        status, content_type, content = await self.request("POST", path, json.dumps(body).encode(), headers)
        assert content_type == JSON_TYPE
        return status, json.loads(content)


@asynccontextmanager
async def serving(api: HttpApi, prefix: str = "/api") -> AsyncIterator[Caller]:
    routes = Routes()
    for path, endpoint in api.routes(prefix).items():
        routes.add(path, endpoint, max_body=None)
    loop = asyncio.get_running_loop()
    wheel = TimingWheel()
    wheel.start(loop)
    server = HttpServer(routes, wheel)
    listener = await loop.create_server(server.new_connection, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        # `skip_auto_headers` keeps the client from naming a type that the server does not look at
        async with aiohttp.ClientSession(skip_auto_headers=("Content-Type",)) as session:
            yield Caller(f"http://127.0.0.1:{port}", session)
    finally:
        listener.close()
        await listener.wait_closed()
        wheel.stop()


@pytest.fixture
async def caller(node: FakeNode) -> AsyncIterator[Caller]:
    async with serving(HttpApi(node, key="K")) as caller:
        yield caller


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        pytest.param({}, "", 401, id="no-key"),
        pytest.param(KEY, "", 200, id="x-api-key"),
        pytest.param({"Authorization": "apikey K"}, "", 200, id="authorization"),
        pytest.param({"Authorization": "APIKEY K"}, "", 200, id="case-of-the-scheme"),
        pytest.param({"Authorization": "Bearer K"}, "", 401, id="bearer"),
        pytest.param({}, "?api_key=K", 200, id="query"),
        pytest.param({"X-API-Key": "no"}, "?api_key=K", 200, id="wrong-header-right-query"),
        pytest.param({"X-API-Key": "no", "Authorization": "apikey K"}, "", 401, id="wrong-header-comes-first"),
    ],
)
async def test_who_is_let_in(caller: Caller, headers: dict[str, str], query: str, status: int) -> None:
    body = b'{"channel":"a","data":{"x":1}}'
    got = await caller.request("POST", "/api/publish" + query, body, headers)
    assert got == ((200, JSON_TYPE, b'{"result":{}}') if status == 200 else (401, "", b""))


@pytest.mark.parametrize("path", ["/api/publish", "/api/batch", "/api"])
async def test_an_empty_key_lets_nobody_in_and_none_everybody(node: FakeNode, path: str) -> None:
    async with serving(HttpApi(node, key="")) as caller:
        assert (await caller.request("POST", path + "?api_key=", b"{}", {}))[0] == 401
    async with serving(HttpApi(node, key=None)) as caller:
        assert (await caller.request("POST", path, b"{}", {}))[0] == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS", "HEAD", "DELETE"])
@pytest.mark.parametrize("path", ["/api/publish", "/api/batch", "/api"])
async def test_only_post_is_allowed_whether_or_not_there_is_a_key(caller: Caller, method: str, path: str) -> None:
    for headers in ({}, KEY):
        assert await caller.request(method, path, headers=headers) == (405, "", b"")


@pytest.mark.parametrize("path", ["/api/nosuch", "/api/", "/api/publish/", "/api/connections", "/"])
async def test_unknown_paths_need_no_key(caller: Caller, path: str) -> None:
    assert await caller.request("POST", path, b"{}", {}) == (404, TEXT_TYPE, b"404 page not found\n")


@pytest.mark.parametrize("path", ["/api/info", "/api/publish", "/api/batch", "/api"])
@pytest.mark.parametrize("body", [b"", b"[]", b"{"])
async def test_bodies_that_cannot_be_decoded(caller: Caller, path: str, body: bytes) -> None:
    assert await caller.request("POST", path, body) == (400, TEXT_TYPE, b"Bad Request\n")


async def test_a_wrong_type_in_a_body_is_refused(caller: Caller) -> None:
    answer = await caller.request("POST", "/api/publish", b'{"channel":1,"data":{}}')
    assert answer == (400, TEXT_TYPE, b"Bad Request\n")


async def test_the_key_is_checked_before_the_body(caller: Caller) -> None:
    assert (await caller.request("POST", "/api/publish", b"{", {}))[0] == 401


async def test_info_shows_a_node(caller: Caller) -> None:
    status, answer = await caller.post("/api/info", {})
    assert status == 200
    assert {"uid", "num_clients"} <= answer["result"]["nodes"][0].keys()


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        pytest.param("/api/publish", {"channel": "zz:a", "data": 1}, 404, 102, id="unknown-channel"),
        pytest.param("/api/publish", {"channel": "a"}, 400, 107, id="bad-request"),
        pytest.param("/api/history", {"channel": "a"}, 400, 108, id="not-available"),
        pytest.param("/api/history", {"channel": "ns:a", "since": {"epoch": "x"}}, 416, 112, id="unrecoverable"),
        pytest.param("/api/rpc", {"method": "x"}, 404, 104, id="not-found"),
        pytest.param("/api/channels", {"pattern": "["}, 500, 100, id="internal"),
        pytest.param("/api/broadcast", {"channels": []}, 400, 107, id="whole-broadcast"),
    ],
)
async def test_errors_in_both_modes(
    caller: Caller, node: FakeNode, path: str, body: dict[str, Any], status: int, code: int
) -> None:
    ordinary, enveloped = await caller.post(path, body)
    assert (ordinary, enveloped["error"]["code"]) == (200, code)
    assert await caller.post(path, body, TRANSPORT) == (status, enveloped["error"])
    assert (await caller.post(path, body, {**KEY, "X-Centrifugo-Error-Mode": "Transport"}))[0] == 200
    async with serving(HttpApi(node, key="K", transport_errors=True)) as strict:
        assert await strict.post(path, body) == (status, enveloped["error"])


async def test_transport_mode_leaves_inner_errors_and_the_legacy_route_alone(caller: Caller) -> None:
    broadcast = await caller.post("/api/broadcast", {"channels": ["zz:a"], "data": 1}, TRANSPORT)
    assert broadcast == (200, {"result": {"responses": [{"error": {"code": 102, "message": "unknown channel"}}]}})
    batch = await caller.post("/api/batch", {"commands": [{"rpc": {"method": "x"}}, None]}, TRANSPORT)
    assert batch[0] == 200
    assert [reply["error"]["code"] for reply in batch[1]["replies"]] == [104, 107]
    legacy = await caller.post("/api", {"method": "rpc", "params": {"method": "x"}}, TRANSPORT)
    assert legacy == (200, {"error": {"code": 104, "message": "not found"}})


async def test_batch_has_no_envelope(caller: Caller) -> None:
    assert await caller.post("/api/batch", {}) == (200, {})
    commands = [{"publish": {"channel": "a", "data": 1}}, {}]
    assert await caller.post("/api/batch", {"commands": commands}) == (
        200, {"replies": [{"publish": {}}, {"error": {"code": 104, "message": "not found"}}]},
    )  # fmt: skip


async def test_a_malformed_command_fails_the_batch_before_anything_runs(caller: Caller, node: FakeNode) -> None:
    body = {"commands": [{"publish": {"channel": "a", "data": 1}}, {"publish": {"channel": 1}}]}
    assert (await caller.request("POST", "/api/batch", json.dumps(body).encode()))[0] == 400
    assert node.published == []


async def test_legacy_answers_line_by_line(caller: Caller) -> None:
    body = (
        b'{"id":1,"method":"publish","params":{"channel":"a","data":1}}\n'
        b'{"id":2,"method":"presence_stats","params":{"channel":"ns:a"}}\n'
    )
    expected = b'{"id":1,"result":{}}\n{"id":2,"result":{"num_clients":0,"num_users":0}}'
    assert await caller.request("POST", "/api", body) == (200, JSON_TYPE, expected)
    assert await caller.request("POST", "/api", b" \n") == (200, JSON_TYPE, b"")


async def test_only_the_legacy_route_refuses_while_the_node_stops(caller: Caller, node: FakeNode) -> None:
    node.shutting_down = True
    assert await caller.request("POST", "/api", b"{}") == (503, "", b"")
    assert (await caller.request("POST", "/api", b"{}", {}))[0] == 401
    assert (await caller.post("/api/info", {}))[0] == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/api/history", {"channel": "binary:b", "limit": 1}, id="method"),
        pytest.param("/api/batch", {"commands": [{"history": {"channel": "binary:b", "limit": 1}}]}, id="batch"),
        pytest.param("/api", {"method": "history", "params": {"channel": "binary:b", "limit": 1}}, id="legacy"),
    ],
)
async def test_a_stored_payload_that_is_not_json_cannot_be_shown(
    caller: Caller, path: str, body: dict[str, Any]
) -> None:
    await caller.post("/api/publish", {"channel": "binary:b", "b64data": "aGk="})
    for headers in (KEY, TRANSPORT):
        answer = await caller.request("POST", path, json.dumps(body).encode(), headers)
        assert answer == (500, TEXT_TYPE, b"Internal Server Error\n")


async def test_ten_megabytes_can_be_published(caller: Caller, node: FakeNode) -> None:
    data = "x" * 10_000_000
    assert await caller.post("/api/publish", {"channel": "a", "data": data}) == (200, {"result": {}})
    assert len(node.published[0][1].data) == len(data) + 2


@pytest.mark.parametrize(
    ("prefix", "method_path", "legacy_path"),
    [
        pytest.param("/", "/info", "/", id="root"),
        pytest.param("/", "/info", "/any/other/path", id="root-catches-all"),
        pytest.param("/server/api", "/server/api/info", "/server/api", id="longer"),
    ],
)
async def test_prefixes(node: FakeNode, prefix: str, method_path: str, legacy_path: str) -> None:
    async with serving(HttpApi(node, key="K"), prefix) as caller:
        assert (await caller.post(method_path, {}))[1].keys() == {"result"}
        assert (await caller.post(legacy_path, {"method": "info", "params": {}}))[1].keys() == {"result"}


async def test_a_defect_is_answered_and_does_not_hurt_the_connection(caller: Caller, node: FakeNode) -> None:
    node.failure = ZeroDivisionError()
    assert (await caller.post("/api/info", {}))[1]["error"]["code"] == 100
    node.failure = None
    assert (await caller.post("/api/info", {}))[1].keys() == {"result"}


@pytest.mark.parametrize("path", ["/api/info", "/api/batch", "/api"])
async def test_a_cancelled_command_is_answered(
    caller: Caller, node: FakeNode, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    begun = asyncio.Event()
    awaited: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def wait() -> Any:
        begun.set()
        return await awaited

    monkeypatch.setattr(node, "info", wait)
    body = b'{"method":"info","params":{},"commands":[{"info":{}}]}'
    answer = asyncio.create_task(caller.request("POST", path, body))
    await begun.wait()
    awaited.cancel()
    assert await answer == (500, TEXT_TYPE, b"Internal Server Error\n")


async def test_a_long_batch_lets_others_in(caller: Caller) -> None:
    commands = [{"publish": {"channel": "ns:a", "data": 1}}] * 20_000
    finished: list[str] = []

    async def note(name: str, work: Callable[[], Any]) -> None:
        await work()
        finished.append(name)

    await asyncio.gather(
        note("batch", lambda: caller.post("/api/batch", {"commands": commands})),
        note("info", lambda: caller.post("/api/info", {})),
    )
    assert finished == ["info", "batch"]
