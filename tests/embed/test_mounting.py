"""Frameworks with the server mounted, or behind the server, in uvicorn."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from fastapi import FastAPI
from litestar import Litestar, asgi, get
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from tests.embed.hosts import uvicorn_with
from tests.embed.test_asgi_app import WAYS, entered, make_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import fanjet


def in_fastapi(server: fanjet.Server) -> Any:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with server:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/hello")
    async def hello() -> str:
        await server.api.publish("news:x", "hello")
        return "hello"

    app.mount("/live", server.asgi())
    return app


def in_starlette_behind_middleware(server: fanjet.Server) -> Any:
    async def hello(_: Any) -> PlainTextResponse:
        await server.api.publish("news:x", "hello")
        return PlainTextResponse('"hello"')

    async def pass_on(request: Any, call_next: Any) -> Response:
        response: Response = await call_next(request)
        return response

    return Starlette(
        routes=[Route("/hello", hello), Mount("/live", server.asgi())],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=pass_on)],
    )


def in_litestar(server: fanjet.Server) -> Any:
    @get("/hello")
    async def hello() -> str:
        await server.api.publish("news:x", "hello")
        return "hello"

    return Litestar([hello, asgi("/live", is_mount=True, copy_scope=True)(server.asgi())])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("inside", [in_fastapi, in_starlette_behind_middleware, in_litestar])
async def test_frameworks_mount_the_server(inside: Callable[[fanjet.Server], Any], way: str) -> None:
    server = make_server({"shutdown": {"timeout": "5s"}})
    async with uvicorn_with(inside(server)) as port:
        async with entered(port, way, "/live") as client, aiohttp.ClientSession() as session:
            await client.connect()
            await client.subscribe("news:x")
            async with session.get(f"http://127.0.0.1:{port}/hello") as response:
                assert await response.text() in ('"hello"', "hello")
            assert (await client.publication())["data"] in ("hello", b'"hello"')
        await server.stop()


async def test_an_application_behind_the_server_gets_the_rest() -> None:
    states: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["began"] = True
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            states.append("ended")
            return
        states.append(scope["state"]["began"])
        await PlainTextResponse(scope["path"])(scope, receive, send)

    server = make_server(asgi=application)
    async with uvicorn_with(server.asgi()) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        for path, text in (("/else", "/else"), ("/health", "{}")):
            async with session.get(path) as response:
                assert await response.text() == text
        async with entered(port) as client:
            await client.connect()
    assert states == [True, "ended"]


async def test_redirects_lead_to_where_the_server_is_mounted() -> None:
    server = make_server()
    app = Starlette(routes=[Mount("/live", server.asgi())])
    async with uvicorn_with(app) as port, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}/live/a//b"
        async with session.get(url, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (307, "/live/a/b")
        await server.stop()
