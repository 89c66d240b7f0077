"""Whatever a client comes by, its backend is asked (06 §2, §4.4, §4.5)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import grpc.aio
import pytest

from fanjet.transports.proto import unistream_pb2
from tests.events.proxy.configs import proxied, proxy
from tests.support.backend import never, status
from tests.support.server import free_port

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.backend import Backend
    from tests.support.server import Server

ALL = {name: {"enabled": True} for name in ("http_stream", "sse", "uni_sse", "uni_http_stream", "uni_websocket")}


@pytest.fixture
def server(shared_server: StartServer, base: str, backend: Backend) -> Server:
    """A server with all transports over HTTP; its connect proxy is patient."""
    connect = proxy(f"{base}/connect", http_headers=["X-Request-Id"])
    return shared_server(proxied(base, {**ALL, "client": {"proxy": {"connect": connect}}}))


async def first_message(server: Server, path: str, *, post: bool, headers: dict[str, str]) -> dict[str, Any]:
    """Connect without token and return what comes first."""
    url = f"{server.url}/connection/{path}"
    bidirectional = not path.startswith("uni_")
    connect = {"id": 1, "connect": {}} if bidirectional else {}
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            "POST" if post else "GET",
            url,
            json=connect if post else None,
            params=None if post else {"cf_connect": json.dumps(connect)},
            headers=headers,
        ) as response,
    ):
        async for line in response.content:
            text = line.decode().strip().removeprefix("data: ")
            if text and text != "{}":
                return dict(json.loads(text))
    raise AssertionError("nothing came")


STREAMS = [("http_stream", True), ("sse", False), ("uni_sse", False), ("uni_http_stream", True)]


@pytest.mark.parametrize(("path", "post"), STREAMS)
async def test_the_backend_decides(server: Server, backend: Backend, path: str, post: bool) -> None:
    backend.on("connect", {"result": {"user": "7", "data": {"hello": 1}}})
    message = await first_message(server, path, post=post, headers={"X-Request-Id": "1"})
    assert message["connect"]["data"] == {"hello": 1}
    (request,) = backend.requests
    assert request.body["transport"] == path
    assert request.headers["x-request-id"] == "1"


@pytest.mark.parametrize(("path", "post"), STREAMS)
async def test_a_backend_that_fails(server: Server, backend: Backend, path: str, post: bool) -> None:  # 06-5
    backend.on("connect", status(500))
    message = await first_message(server, path, post=post, headers={})
    if path.startswith("uni_"):
        assert message["disconnect"] == {"code": 3004, "reason": "internal server error"}
    else:
        assert message["error"]["code"] == 100


@pytest.mark.parametrize(("path", "post"), STREAMS)
async def test_who_goes_away_is_not_asked_about_any_more(
    server: Server, backend: Backend, path: str, post: bool
) -> None:
    backend.on("connect", never)
    async with aiohttp.ClientSession() as session:
        bidirectional = not path.startswith("uni_")
        connect = {"id": 1, "connect": {}} if bidirectional else {}
        url = f"{server.url}/connection/{path}"
        call = session.post(url, json=connect) if post else session.get(url, params={"cf_connect": json.dumps(connect)})
        opening = asyncio.ensure_future(call)
        await backend.wait_for("connect")
        opening.cancel()
        await asyncio.wait([opening])
        if not opening.cancelled():  # streams begin before the connect is answered
            opening.result().close()
    await backend.wait_cancelled("connect")


async def test_metadata_of_grpc_clients(  # 06-14
    private_server: StartServer, base: str, backend: Backend
) -> None:
    port = free_port()
    private_server(
        {
            "uni_grpc": {"enabled": True, "port": port},
            "client": {"proxy": {"connect": {"enabled": True, **proxy(f"{base}/connect", grpc_metadata=["X-A"])}}},
        }
    )
    backend.on("connect", {"result": {"user": "7"}})
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        consume = channel.unary_stream(
            "/centrifugal.centrifugo.unistream.CentrifugoUniStream/Consume",
            request_serializer=unistream_pb2.ConnectRequest.SerializeToString,
            response_deserializer=unistream_pb2.Push.FromString,
        )
        call = consume(unistream_pb2.ConnectRequest(), metadata=(("x-a", "1"), ("x-b", "2")))
        assert (await call.read()).HasField("connect")
        call.cancel()
    (request,) = backend.requests
    assert request.headers["x-a"] == "1"
    assert "x-b" not in request.headers
    assert request.body["transport"] == "uni_grpc"
    assert request.body["protocol"] == "protobuf"
