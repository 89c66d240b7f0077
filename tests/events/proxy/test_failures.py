"""Backends that fail, in every way there is: the client is told, and nothing else happens (06 §4.2 to §4.4)."""

from __future__ import annotations

import asyncio
import gzip
import time
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from tests.events.proxy.configs import TIMEOUT, proxied, proxy
from tests.support.backend import Held, never, status, text
from tests.support.server import free_port
from tests.support.tokens import token
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.backend import Answer, Backend
    from tests.support.server import Server

INTERNAL = {"code": 100, "message": "internal server error", "temporary": True}


async def reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def cut_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"result":')
    assert request.transport is not None
    request.transport.abort()
    return response


async def drip(request: web.Request) -> web.StreamResponse:
    """Slow enough to be late, quick enough never to pause for long."""
    response = web.StreamResponse()
    await response.prepare(request)
    for byte in b'{"result":{}}':
        await response.write(bytes([byte]))
        await asyncio.sleep(TIMEOUT / 5)
    return response


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 65536)


async def bomb(request: web.Request) -> web.StreamResponse:
    return web.Response(body=gzip.compress(b" " * (64 << 20)), headers={"Content-Encoding": "gzip"})


FAILURES: list[Any] = [
    pytest.param(never, id="no-answer"),
    pytest.param(status(500), id="500"),
    pytest.param(status(404), id="404"),
    pytest.param(status(204), id="204"),
    pytest.param(status(201, b"{}"), id="201"),
    pytest.param(status(304), id="304"),
    pytest.param(status(301), id="redirect-to-nowhere"),
    pytest.param(status(307, Location="/rpc"), id="redirect-loop"),
    pytest.param(status(302, Location="ftp://127.0.0.1/"), id="redirect-to-no-http"),
    pytest.param(text(""), id="empty-body"),
    pytest.param(text("x"), id="no-json"),
    pytest.param(text("[]"), id="array"),
    pytest.param(text('{"result":{"expire_at":"1"},"error":[]}'), id="wrong-types"),
    pytest.param(text("{} {}"), id="two-documents"),
    pytest.param(text(b'{"error":{"message":"\xff"}}'), id="no-utf-8"),
    pytest.param(status(200, b"no gzip", **{"Content-Encoding": "gzip"}), id="bad-gzip"),
    pytest.param(reset, id="reset"),
    pytest.param(cut_off, id="reset-in-the-body"),
    pytest.param(drip, id="slow-body"),
    pytest.param(endless, id="endless-body"),
    pytest.param(bomb, id="gzip-bomb"),
]


@pytest.mark.parametrize("answer", FAILURES)
async def test_a_command_is_answered_with_an_internal_error(  # 06-5
    server: Server, backend: Backend, answer: Answer
) -> None:
    backend.on("rpc", answer)
    async with connected(server, token("7")) as client:
        assert (await client.call(rpc={"method": "m"}))["error"] == INTERNAL
        backend.on("rpc", {"result": {"data": "well again"}})
        assert await client.call(rpc={"method": "m"}) == {"data": "well again"}


@pytest.mark.parametrize("answer", [never, status(500), text("x")])
async def test_a_connect_is_answered_with_an_internal_error(  # 06-5
    server: Server, backend: Backend, answer: Answer
) -> None:
    backend.on("connect", answer)
    async with opened(server) as client:
        started = time.monotonic()
        assert (await client.call(connect={}))["error"] == INTERNAL
        assert time.monotonic() - started < TIMEOUT + 2


@pytest.mark.parametrize("answer", [never, status(500), text("x")])
async def test_a_subscribe_leaves_nothing_behind(server: Server, backend: Backend, name: str, answer: Answer) -> None:
    backend.on("subscribe", answer)
    async with connected(server, token("7")) as client:
        assert (await client.call(subscribe={"channel": f"asked:{name}"}))["error"] == INTERNAL
        backend.on("subscribe", {})
        await client.subscribe(f"asked:{name}")


@pytest.mark.parametrize("answer", [never, status(500), text("x")])
async def test_nothing_is_published(server: Server, backend: Backend, name: str, answer: Answer) -> None:
    backend.on("publish", answer)
    async with connected(server, token("7")) as client:
        assert (await client.call(publish={"channel": f"pub:{name}", "data": {}}))["error"] == INTERNAL
    history = await server.api("history", {"channel": f"pub:{name}", "limit": -1})
    assert history["publications"] == []


async def test_a_backend_that_is_not_there(shared_server: StartServer) -> None:  # 06-5
    nobody = proxy(f"http://127.0.0.1:{free_port()}/rpc")
    server = shared_server({"rpc": {"proxy": nobody, "without_namespace": {"proxy_enabled": True}}})
    async with connected(server, token("7")) as client:
        assert (await client.call(rpc={"method": "m"}))["error"] == INTERNAL


async def test_failures_are_logged_with_client_and_channel(server: Server, backend: Backend, name: str) -> None:
    backend.on("subscribe", status(500))
    async with connected(server, token("7")) as client:
        await client.call(subscribe={"channel": f"asked:{name}"})
        line = next(line for line in server.log.splitlines() if name in line)
    assert "error proxying subscribe" in line
    assert client.client_id in line
    assert "500" in line


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(text("{}"), id="empty"),
        pytest.param(text(" null "), id="null"),
        pytest.param(text('{"result":null,"error":null,"other":[{}]}'), id="null-fields"),
        pytest.param(status(200, gzip.compress(b"{}"), **{"Content-Encoding": "gzip"}), id="gzip"),
        pytest.param(status(200, b"{}", **{"Content-Type": "text/html"}), id="any-content-type"),
    ],
)
async def test_an_answer_without_result_allows(server: Server, backend: Backend, name: str, answer: Answer) -> None:
    for event in ("rpc", "subscribe", "publish"):
        backend.on(event, answer)
    async with connected(server, token("7")) as client:
        assert await client.call(rpc={"method": "m"}) == {}
        assert await client.subscribe(f"asked:{name}") == {}
        assert await client.call(publish={"channel": f"any:{name}", "data": 1}) == {}


@pytest.mark.parametrize(("code", "is_post"), [(301, False), (302, False), (303, False), (307, True), (308, True)])
async def test_redirects_are_followed(server: Server, backend: Backend, code: int, is_post: bool) -> None:
    backend.on("rpc", status(code, Location="/elsewhere"))
    backend.on("elsewhere", {"result": {"data": "moved"}})
    async with connected(server, token("7")) as client:
        result = await client.call(rpc={"method": "m", "data": 1})
    if is_post:
        assert result == {"data": "moved"}
        assert backend.asked("elsewhere")[0]["data"] == 1
    else:  # a GET, which this backend does not answer
        assert result["error"] == INTERNAL


async def test_of_several_fields_the_strongest_counts(server: Server, backend: Backend) -> None:
    error = {"code": 7, "message": "e"}
    backend.on("rpc", {"result": {"data": 1}, "error": error})
    async with connected(server, token("7")) as client:
        assert (await client.call(rpc={"method": "m"}))["error"] == error
        backend.on("rpc", {"error": error, "disconnect": {"code": 4502, "reason": "d"}})
        await client.send({"id": 5, "rpc": {"method": "m"}})
        assert await client.closed() == (4502, "d")


TRANSFORMS = [
    {"status_code": 403, "to_error": {"code": 403, "message": "denied"}},
    {"status_code": 403, "to_error": {"code": 1, "message": "never"}},
    {"status_code": 503, "to_error": {"code": 503, "message": "busy", "temporary": True}},
    {"status_code": 410, "to_disconnect": {"code": 4903, "reason": "gone"}},
]


async def test_statuses_can_stand_for_errors_and_disconnects(  # 06-6
    shared_server: StartServer, base: str, backend: Backend
) -> None:
    transformed = proxy(f"{base}/rpc", http={"status_to_code_transforms": TRANSFORMS})
    server = shared_server(proxied(base, {"rpc": {"proxy": transformed}}))
    async with connected(server, token("7")) as client:
        for code, error in {
            403: {"code": 403, "message": "denied"},
            503: {"code": 503, "message": "busy", "temporary": True},
            404: INTERNAL,
        }.items():
            backend.on("rpc", status(code))
            assert (await client.call(rpc={"method": "m"}))["error"] == error
        backend.on("rpc", status(410))
        await client.send({"id": 9, "rpc": {"method": "m"}})
        assert await client.closed() == (4903, "gone")
    assert "unexpected HTTP status code: 403" not in server.log


async def test_calls_one_after_the_other_share_a_connection(server: Server, backend: Backend) -> None:  # 06-30
    async with connected(server, token("7")) as client:
        for _ in range(50):
            await client.call(rpc={"method": "m"})
    assert len(backend.asked("rpc")) == 50
    assert len(backend.connections) == 1


async def test_the_environment_names_no_proxies(
    private_server: StartServer, monkeypatch: pytest.MonkeyPatch, base: str, backend: Backend
) -> None:
    with monkeypatch.context() as environment:
        environment.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
        server = private_server(proxied(base))
    async with connected(server, token("7")) as client:
        assert await client.call(rpc={"method": "m"}) == {}


async def test_who_waits_for_a_backend_waits_alone(server: Server, backend: Backend, name: str) -> None:
    backend.on("rpc", never)
    async with connected(server, token("7")) as stuck, connected(server, token("8")) as free:
        await stuck.send({"id": 5, "rpc": {"method": "m"}})
        await backend.wait_for("rpc")
        assert await free.call(publish={"channel": f"any:{name}", "data": 1}) == {}


async def test_calls_are_not_limited_to_a_number_of_connections(server: Server, backend: Backend) -> None:
    held = Held({"result": {"data": "at last"}})
    backend.on("rpc", held)
    async with asyncio.timeout(20):
        clients = [connected(server, token(str(number))) for number in range(120)]
        running = [await client.__aenter__() for client in clients]
        calls = [asyncio.create_task(one.call(rpc={"method": "m"})) for one in running]
        await backend.wait_for("rpc", 120)
        held.released.set()
        results = await asyncio.gather(*calls)
        for client in clients:
            await client.__aexit__(None, None, None)
    assert results == [{"data": "at last"}] * 120
