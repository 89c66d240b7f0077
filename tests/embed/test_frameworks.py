"""Frameworks as fallback applications: routing, bodies, WebSockets."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from fastapi import FastAPI, Request, WebSocket
from litestar import Litestar, get, post, websocket
from litestar import Request as LitestarRequest
from litestar import WebSocket as LitestarSocket
from litestar.response import Stream
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

from tests.embed.hosts import uvicorn_with
from tests.embed.servers import make_server


async def numbers() -> Any:
    for number in range(3):
        yield f"{number}\n"


async def echo_socket(socket: WebSocket) -> None:
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text.upper())


def of_fastapi() -> Any:
    app = FastAPI()

    @app.post("/echo")
    async def echo(request: Request) -> dict[str, Any]:
        return {"got": (await request.body()).decode()}

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(numbers())

    app.websocket("/ws")(echo_socket)
    return app


def of_starlette() -> Any:
    async def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse('{"got":"' + (await request.body()).decode() + '"}')

    async def stream(request: Request) -> StreamingResponse:
        return StreamingResponse(numbers())

    routes = [Route("/echo", echo, methods=["POST"]), Route("/stream", stream), WebSocketRoute("/ws", echo_socket)]
    return Starlette(routes=routes)


def of_litestar() -> Any:
    @post("/echo", status_code=200)
    async def echo(request: LitestarRequest[Any, Any, Any]) -> dict[str, str]:
        return {"got": (await request.body()).decode()}

    @get("/stream")
    async def stream() -> Stream:
        return Stream(numbers())

    @websocket("/ws")
    async def echo_text(socket: LitestarSocket[Any, Any, Any]) -> None:
        await socket.accept()
        async for text in socket.iter_data():
            await socket.send_text(str(text).upper())

    return Litestar([echo, stream, echo_text])


def echo_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b'{"got":"' + request.body + b'"}')


def stream_view(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(numbers())


urlpatterns = [path("echo", echo_view), path("stream", stream_view)]


def of_django() -> Any:
    if not settings.configured:
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], MIDDLEWARE=[], SECRET_KEY="x")
    return ASGIHandler()


FRAMEWORKS = [of_fastapi, of_starlette, of_litestar, of_django]


@pytest.mark.parametrize("make", FRAMEWORKS)
async def test_frameworks_work_as_fallback_applications(make: Any) -> None:
    server = make_server(asgi=make())
    async with server:
        await assert_it_works(make, server.port)


@pytest.mark.parametrize("make", FRAMEWORKS)
async def test_frameworks_work_behind_a_server_inside_uvicorn(make: Any) -> None:
    async with uvicorn_with(make_server(asgi=make()).asgi()) as port:
        await assert_it_works(make, port)


async def assert_it_works(make: Any, port: int) -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        async with session.post("/echo", data=b"x" * 100_000) as response:
            assert await response.json(content_type=None) == {"got": "x" * 100_000}
        async with session.get("/stream") as response:
            assert await response.text() == "0\n1\n2\n"
        async with session.get("/nowhere") as response:
            assert response.status == 404
        if make is not of_django:
            async with session.ws_connect("/ws") as socket:
                await socket.send_str("hello")
                assert await socket.receive_str() == "HELLO"
