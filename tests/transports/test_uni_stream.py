"""Unidirectional streams whose connect waits for a backend (02 §9.5)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.acceptance.configs import OPEN
from tests.support.backend import Backend, http_backend
from tests.support.listener import HTTP_STREAM, SSE, listening
from tests.support.server import Server, free_port, merge
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

    from tests.conftest import StartServer

RESPONSES = {
    "enabled": True,
    "transforms": [
        {"code": 3502, "to": {"status_code": 408}},
        {"code": 4444, "to": {"status_code": 403}},
        {"code": 1000, "to": {"status_code": 402}},
        {"code": 100, "to": {"status_code": 418}},
    ],
}


class Asking:
    """A server that asks a backend about each connect."""

    def __init__(self, server: Server, backend: Backend) -> None:
        self.server = server
        self.backend = backend
        self.decided = asyncio.Event()

    def hesitate(self) -> None:
        """Answer only once it is `decided`."""

        async def answer(_: web.Request) -> web.StreamResponse:
            await self.decided.wait()
            return aiohttp.web.json_response({"result": {"user": "ann", "channels": ["news"]}})

        self.backend.on("connect", answer)

    async def nobody(self) -> bool:
        """Whether no client is connected."""
        return not (await self.server.api("info"))["nodes"][0].get("num_clients", 0)


@pytest.fixture(scope="module")
def port() -> int:
    """Of the backend, so that the tests share a server."""
    return free_port()


@pytest.fixture
def config(port: int) -> dict[str, Any]:
    """Failed connects have responses of their own."""
    proxy = {"enabled": True, "endpoint": f"http://127.0.0.1:{port}/connect", "timeout": "10s"}
    streams = {kind: {"enabled": True, "connect_code_to_http_response": RESPONSES} for kind in (SSE, HTTP_STREAM)}
    client = {"proxy": {"connect": proxy}, "stale_close_delay": "2s", "allow_anonymous_connect_without_token": False}
    return merge(OPEN, {**streams, "client": client})


@pytest.fixture
async def asking(shared_server: StartServer, config: dict[str, Any], port: int) -> AsyncIterator[Asking]:
    async with http_backend(port) as backend:
        yield Asking(shared_server(config), backend)


@pytest.fixture(params=[SSE, HTTP_STREAM])
def url(request: pytest.FixtureRequest, asking: Asking) -> str:
    """Where to connect."""
    return f"{asking.server.url}/connection/{request.param}"


async def test_the_response_begins_when_it_is_decided(asking: Asking, url: str) -> None:
    asking.hesitate()
    async with aiohttp.ClientSession() as http:
        answering = asyncio.create_task(http.post(url, data=b"{}"))
        await asking.backend.wait_for("connect")
        assert not answering.done()
        asking.decided.set()
        async with await answering as answer:
            assert answer.status == 200
            assert b'"subs":{"news":{}}' in await answer.content.readuntil(b"}}")


@pytest.mark.parametrize(
    ("decision", "status", "body"),
    [
        pytest.param({"error": {"code": 1000, "message": "pay first"}}, 402, "pay first", id="error"),
        pytest.param({"error": {"code": 100, "message": "it is me"}}, 418, "it is me", id="its-own-100"),
        pytest.param({"disconnect": {"code": 4444, "reason": "go away"}}, 403, "go away", id="disconnect"),
        pytest.param({"disconnect": {"code": 4000, "reason": "x"}}, 500, "Internal Server Error", id="unmapped"),
        pytest.param({"result": {"user": "u", "b64data": "eHg="}}, 500, "Internal Server Error", id="no-json"),
        pytest.param({"result": 1}, 500, "Internal Server Error", id="nonsense"),
    ],
)
async def test_what_a_backend_says_becomes_a_response(
    asking: Asking, url: str, decision: dict[str, Any], status: int, body: str
) -> None:
    asking.backend.on("connect", decision)
    async with aiohttp.ClientSession() as http, http.post(url, data=b"{}") as answer:
        assert (answer.status, await answer.text()) == (status, body)
    assert await asking.nobody()


async def test_who_waits_too_long_is_told_so(asking: Asking, url: str) -> None:
    asking.hesitate()
    async with aiohttp.ClientSession() as http, http.post(url, data=b"{}") as answer:
        assert (answer.status, await answer.text()) == (408, "stale")
    asking.decided.set()
    await until(asking.nobody)


async def test_who_leaves_before_it_is_decided_leaves_nothing_behind(asking: Asking, url: str) -> None:
    asking.hesitate()
    async with aiohttp.ClientSession() as http:
        answering = asyncio.create_task(http.post(url, data=json.dumps({"subs": {"all:x": {}}})))
        await asking.backend.wait_for("connect")
        answering.cancel()
    await asking.backend.wait_cancelled("connect")
    asking.decided.set()
    await until(asking.nobody)


async def test_who_waits_at_a_shutdown_has_an_answer(
    private_server: StartServer, config: dict[str, Any], port: int
) -> None:
    async with http_backend(port) as backend:
        asking = Asking(private_server(config), backend)
        asking.hesitate()
        async with aiohttp.ClientSession() as http:
            answering = asyncio.create_task(http.post(f"{asking.server.url}/connection/{SSE}", data=b"{}"))
            await backend.wait_for("connect")
            stopping = asyncio.create_task(asyncio.to_thread(asking.server.stop))
            async with await answering as answer:
                assert (answer.status, await answer.text()) == (500, "Internal Server Error")
            asking.decided.set()
            assert await stopping == 0


async def test_a_stream_that_has_begun_ends_as_ever(asking: Asking) -> None:
    asking.backend.on("connect", {"result": {"user": "zoe", "data": {"hello": 1}}})
    async with listening(asking.server, HTTP_STREAM) as listener:
        assert (await listener.connected())["data"] == {"hello": 1}
        await asking.server.api("disconnect", {"user": "zoe", "disconnect": {"code": 4444, "reason": "go away"}})
        assert await listener.closed() == (4444, "go away")
