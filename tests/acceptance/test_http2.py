"""HTTP/2 on a running server: by prior knowledge, by ALPN, and WebSockets by extended CONNECT (02 §3.3, §6.9)."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.certificates import issue
from tests.support.http2_client import Http2Client, fields
from tests.support.server import API_KEY, free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import StartServer
    from tests.support.server import Server

CONNECT = b'{"id":1,"connect":{}}'
CLIENTS = {"allow_anonymous_connect_without_token": True, "allowed_origins": ["https://*.example.org"]}


def config(**more: Any) -> dict[str, Any]:
    return {
        "http_server": {"h2c_external": True, "internal_port": str(free_port())},
        "http_api": {"external": True},
        "client": CLIENTS,
        "http_stream": {"enabled": True},
        "uni_http_stream": {"enabled": True},
        "uni_websocket": {"enabled": True},
        "fanjet": {"websocket_http2": True},
        **more,
    }


@pytest.fixture
def server(shared_server: StartServer) -> Server:
    return shared_server(CONFIG)


CONFIG = config()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Http2Client]:
    client = await Http2Client.open(server.port)
    yield client
    await client.close()


async def begin_stream(client: Http2Client, path: str, body: bytes) -> tuple[int, list[dict[str, Any]]]:
    """Open a streamed response; returns its number and its first line."""
    number = client.send(fields("POST", path), end=False)
    client.send_data(number, body, end=True)
    await client.until(lambda: b"\n" in client.answers[number].body)
    return number, lines(client, number)


def lines(client: Http2Client, number: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in client.answers[number].body.splitlines()]


async def test_prior_knowledge_reaches_uni_http_stream(client: Http2Client) -> None:  # 02-48
    number, [first] = await begin_stream(client, "/connection/uni_http_stream", b"{}")
    assert "connect" in first
    assert client.answers[number].header("connection") is None


async def test_streams_of_many_clients_share_a_connection(client: Http2Client, name: str) -> None:
    numbers = [(await begin_stream(client, "/connection/http_stream", CONNECT))[0] for _ in range(20)]
    assert len({lines(client, number)[0]["connect"]["client"] for number in numbers}) == 20
    key = ("x-api-key", API_KEY)
    assert json.loads((await client.request("POST", "/api/channels", b"{}", [key])).body)["result"] is not None


def masked(payload: bytes, opcode: int = 1) -> bytes:
    mask = os.urandom(4)
    body = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + body


async def open_websocket(client: Http2Client, path: str, *more: tuple[str, str]) -> int:
    await client.until(lambda: client.engine.remote_settings.enable_connect_protocol == 1)
    head = [(":protocol", "websocket"), *fields("CONNECT", path, ("sec-websocket-version", "13"), *more)]
    number = client.send(head, end=False)
    await client.until(lambda: client.answers[number].status != 0 or client.answers[number].over)
    return number


async def test_a_websocket_over_http2(client: Http2Client) -> None:  # 02 6.9
    offer, origin = ("sec-websocket-protocol", "centrifuge-json"), ("origin", "https://a.example.org")
    number = await open_websocket(client, "/connection/websocket", offer, origin)
    answer = client.answers[number]
    assert answer.status == 200
    assert answer.header("sec-websocket-protocol") == "centrifuge-json"
    assert answer.header("sec-websocket-accept") is None
    assert answer.header("access-control-allow-origin") == "https://a.example.org"
    client.send_data(number, masked(CONNECT))
    await client.until(lambda: answer.body.endswith(b"}}"))
    assert json.loads(answer.body[answer.body.index(b"{") :])["connect"]["ping"] == 25
    client.send_data(number, masked((1000).to_bytes(2, "big"), opcode=8))
    await client.whole(number)
    assert answer.body.endswith(b"\x88\x02\x03\xe8")
    assert answer.ended


@pytest.mark.parametrize(
    ("protocol", "headers", "status"),
    [
        ("other", {"sec-websocket-version": "13"}, 400),
        ("websocket", {"sec-websocket-version": "8"}, 400),
        ("websocket", {}, 400),
        ("websocket", {"sec-websocket-version": "13", "origin": "https://evil.org"}, 403),
    ],
)
async def test_what_a_websocket_over_http2_is_refused_for(
    client: Http2Client, protocol: str, headers: dict[str, str], status: int
) -> None:
    await client.until(lambda: client.engine.remote_settings.enable_connect_protocol == 1)
    head = [(":protocol", protocol), *fields("CONNECT", "/connection/websocket", *headers.items())]
    assert (await client.whole(client.send(head, end=False))).status == status


async def test_a_unidirectional_websocket_over_http2(client: Http2Client) -> None:  # 02 Q11
    number = await open_websocket(client, "/connection/uni_websocket?cf_connect=%7B%7D")
    answer = client.answers[number]
    await client.until(lambda: answer.body.endswith(b"}}"))
    assert json.loads(answer.body[answer.body.index(b"{") :])["connect"]["ping"] == 25
    assert not answer.over


async def test_shutdown_ends_streams_and_websockets(private_server: StartServer) -> None:  # 02-52
    server = private_server(config())
    client = await Http2Client.open(server.port)
    number, _ = await begin_stream(client, "/connection/http_stream", CONNECT)
    websocket = await open_websocket(client, "/connection/websocket")
    client.send_data(websocket, masked(CONNECT))
    await client.until(lambda: b"connect" in client.answers[websocket].body)
    stopping = asyncio.create_task(asyncio.to_thread(server.stop))
    await client.whole(number)
    assert lines(client, number)[-1] == {"push": {"disconnect": {"code": 3001, "reason": "shutdown"}}}
    await client.until(lambda: client.answers[websocket].body.endswith(b"\x88\x0a" + b"\x0b\xb9shutdown"))
    client.send_data(websocket, masked((3001).to_bytes(2, "big"), opcode=8), end=True)
    assert await stopping == 0
    await client.close()


async def test_alpn_leads_to_http2(private_server: StartServer) -> None:  # 02 3.3
    pair = issue()
    tls = {"enabled": True, "cert_pem": pair.certificate, "key_pem": pair.key}
    server = private_server({**config(), "http_server": {"tls": tls}})
    context = ssl.create_default_context(cadata=pair.certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    client = await Http2Client.open(server.port, context)
    number, [first] = await begin_stream(client, "/connection/http_stream", CONNECT)
    assert first["connect"]["session"]
    client.reset(number)
    publish = await client.request("POST", "/api/publish", b'{"channel":"a","data":{}}', [("x-api-key", API_KEY)])
    assert json.loads(publish.body) == {"result": {}}
    await client.close()
