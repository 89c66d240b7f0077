"""What is no HTTP, or broken HTTP: answered with an error or closed, and nothing more (02 §3)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.raw import HANDSHAKE, noise, tcp
from tests.support.server import API_KEY

if TYPE_CHECKING:
    from tests.support.server import Server

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

HEAD = b"POST /api/info HTTP/1.1\r\nHost: a\r\nX-API-Key: " + API_KEY.encode() + b"\r\n"

BROKEN = [
    pytest.param(b"\r\n\r\n\x00\x01\x02\r\n\r\n", id="control-characters"),
    pytest.param(b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", id="unknown-version"),
    pytest.param(b"GET /\r\n\r\n", id="no-version"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 200, id="TLS-on-a-plain-port"),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", id="two-hosts"),
    pytest.param(b"GET / HTTP/1.1\r\nno colon\r\n\r\n", id="header-without-colon"),
    pytest.param(b"GET / HTTP/1.1\r\nA\x00B: c\r\n\r\n", id="zero-in-header-name"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 2_000_000, id="endless-header"),
    pytest.param(b"GET /" + b"y" * 2_000_000, id="endless-target"),
    pytest.param(HEAD + b"Content-Length: -1\r\n\r\n", id="negative-length"),
    pytest.param(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", id="two-lengths"),
    pytest.param(HEAD + b"Content-Length: abc\r\n\r\n", id="length-no-number"),
    pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}", id="chunk-length-no-number"),
    pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", id="chunk-too-long"),
    pytest.param(HEAD + b"Transfer-Encoding: banana\r\n\r\n", id="unknown-transfer-coding"),
    pytest.param(HANDSHAKE.format(query="").replace("13", "99").encode(), id="unknown-websocket-version"),
    pytest.param(HANDSHAKE.format(query="").replace("dGhl", "!!!!").encode(), id="bad-websocket-key"),
]


@pytest.mark.parametrize("request_bytes", BROKEN)
async def test_a_broken_request_is_refused(server: Server, request_bytes: bytes) -> None:
    async with tcp(server) as raw:
        await raw.send(request_bytes)
        if not raw.writer.transport.is_closing():
            raw.writer.write_eof()
        answer = await raw.rest()
        assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5", b"HTTP/1.0 4")), answer[:100]


@given(data=st.binary(max_size=500))
@few
async def test_random_bytes_instead_of_a_request_are_refused(server: Server, data: bytes) -> None:
    async with tcp(server) as raw:
        await raw.send(data)
        raw.writer.write_eof()
        answer = await raw.rest()
        assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))


async def test_megabytes_of_random_bytes_instead_of_a_request_are_refused(server: Server) -> None:
    for _ in range(20):
        async with tcp(server) as raw:
            await raw.send(noise(300_000))
            assert not (await raw.rest()).startswith(b"HTTP/1.1 2")


async def test_a_request_byte_by_byte_is_answered(server: Server) -> None:
    async with tcp(server) as raw:
        for byte in HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}":
            await raw.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await raw.rest()).startswith(b"HTTP/1.1 200 ")


@given(body=st.binary(max_size=300), method=st.sampled_from(["publish", "subscribe", "history", "batch", "info"]))
@few
async def test_any_body_gets_an_answer(server: Server, body: bytes, method: str) -> None:
    head = f"POST /api/{method} HTTP/1.1\r\nHost: a\r\nX-API-Key: {API_KEY}\r\nConnection: close\r\n"
    async with tcp(server) as raw:
        await raw.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert (await raw.rest()).startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 400 "))


@pytest.mark.parametrize("depth", [1000, 100_000])
async def test_a_deep_body_gets_an_answer(server: Server, depth: int) -> None:
    body = b'{"channel":"a","data":' + b"[" * depth + b"]" * depth + b"}"
    head = HEAD.replace(b"/info", b"/publish") + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with tcp(server) as raw:
        await raw.send(head + body)
        assert (await raw.rest()).startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 400 "))
