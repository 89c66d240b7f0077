"""Detection of the HTTP version of a connection."""

import asyncio

import pytest

from fanjet.net.http_detection import PREFACE
from fanjet.net.tls import server_context
from tests.support.http2_client import fields

from ..conftest import is_silent, until_silent
from ..test_tls import Settings, client_context, issue

HTTP1 = b"GET /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def pair():
    return issue()


@pytest.fixture
async def over_tls(serve_front, routes, echo, pair):
    certificate, key = pair
    routes.add("/echo", echo)
    return await serve_front(routes, tls=server_context(Settings(cert_pem=certificate, key_pem=key), "test"))


def offering(pair, *protocols):
    context = client_context(pair[0])
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


async def test_alpn_decides(over_tls, pair):
    client = await over_tls.connect(ssl=offering(pair, "h2", "http/1.1"))
    answer = await client.whole(client.send(fields("GET", "/echo", scheme="https")))
    assert (answer.status, answer.body) == (200, b"GET")


@pytest.mark.parametrize("protocols", [(), ("http/1.1",)])
async def test_http1_without_h2_in_alpn(over_tls, pair, protocols):
    context = offering(pair, *protocols)
    reader, writer = await asyncio.open_connection("127.0.0.1", over_tls.port, ssl=context, server_hostname="localhost")
    writer.write(HTTP1)
    assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
    writer.close()


async def test_bodies_pass_over_tls(over_tls, pair):
    client = await over_tls.connect(ssl=offering(pair, "h2"))
    body = bytes(range(256)) * 256
    assert (await client.request("POST", "/echo", body)).body == body


async def test_both_versions_share_a_plain_port(served):
    client = await served.connect()
    assert (await client.request("GET", "/echo")).status == 200
    reader, writer = await served.connect_raw()
    writer.write(HTTP1)
    assert b"HTTP/1.1 200 OK" in await until_silent(reader)


async def test_a_preface_in_pieces(served):
    reader, writer = await served.connect_raw()
    for byte in PREFACE:
        writer.write(bytes([byte]))
        await asyncio.sleep(0)
    assert (await until_silent(reader))[3] == 4  # our settings


@pytest.mark.parametrize("beginning", [b"PRI / HTTP/1.1\r\nHost: h\r\n\r\n", b"PUT /echo HTTP/1.1\r\nHost: h\r\n\r\n"])
async def test_what_begins_like_a_preface_is_http1(served, beginning):
    reader, writer = await served.connect_raw()
    writer.write(beginning[:2])
    assert await is_silent(reader)
    writer.write(beginning[2:])
    assert (await until_silent(reader)).startswith(b"HTTP/1.1 ")


async def test_where_http2_is_not_spoken_its_preface_is_a_bad_request(serve, routes):
    answer = await (await serve(routes)).ask(PREFACE)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.endswith(b"\r\n\r\n<EOF>")
