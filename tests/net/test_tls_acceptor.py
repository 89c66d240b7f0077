import asyncio
import logging
import socket
import ssl
import time
import warnings

import pytest

from fanjet.net.client_hello import ClientHello
from fanjet.net.tls import server_context
from fanjet.net.tls_acceptor import ClientHelloRejected
from tests.support.certificates import issue

from .conftest import until_silent
from .test_client_hello import HELLO
from .test_tls import Settings, client_context

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
WRONG_PORT = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n<EOF>"


BEGINNINGS = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"GE", id="http"),
    pytest.param(HELLO[:3], id="record-head"),
    pytest.param(HELLO[:100], id="hello"),
]


@pytest.fixture(scope="module")
def pair():
    return issue()


@pytest.fixture(scope="module")
def context(pair):
    return server_context(Settings(pair.certificate, pair.key), "x")


@pytest.fixture
def answering(routes):
    routes.add("/", lambda exchange: exchange.respond(200, b"hello"))
    return routes


class Source:
    """Has the context when `ready` is set, if it is one, or refuses."""

    def __init__(self, context, ready=None):
        self.context = context
        self.ready = ready
        self.asked = []
        self.was_asked = asyncio.Event()

    def context_for(self, hello):
        self.asked.append(hello)
        self.was_asked.set()
        if self.context is None:
            raise ClientHelloRejected("unknown host")
        if self.ready is None:
            return self.context
        self.later = asyncio.create_task(self._later())
        return self.later

    async def _later(self):
        await self.ready.wait()
        if self.context is Ellipsis:
            raise ClientHelloRejected("no certificate to be had")
        return self.context


async def is_closed(reader):
    """Whether the server closes the connection; with input unread, that is a reset."""
    try:
        return await asyncio.wait_for(reader.read(), 5) == b""
    except ConnectionError:
        return True


async def get(served, client):
    reader, writer = await served.connect(ssl=client)
    writer.write(GET)
    return await until_silent(reader)


# Plain HTTP.


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS"])
async def test_plain_http_is_told_where_it_is(serve, answering, context, method):
    served = await serve(answering, context)
    assert await served.ask(method + GET[3:] + b"x" * 20_000) == WRONG_PORT


@pytest.mark.parametrize("by_name", [False, True])
async def test_plain_http_in_pieces(serve, answering, context, by_name):
    served = await serve(answering, Source(context) if by_name else context)
    reader, writer = await served.connect()
    for each in (b"G", b"ET", b" / HTTP/1.1\r\n\r\n"):
        writer.write(each)
        await asyncio.sleep(0.01)  # so that they do not travel together
    assert await until_silent(reader) == WRONG_PORT


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        pytest.param(b"DELETE / HTTP/1.1\r\n\r\n", b"<EOF>", id="rare-method"),
        pytest.param(b"\x00\x01\x02" * 1000, b"<EOF>", id="binary"),
        pytest.param(b"GEX", b"<EOF>", id="almost-http"),
        pytest.param(b"\x80\x2e\x01\x00\x02" + bytes(44), b"\x15\x03\x01\x00\x02\x02\x46<EOF>", id="ssl-2"),
    ],
)
async def test_anything_else_is_closed(serve, answering, context, sent, answer):
    served = await serve(answering, context)
    assert await served.ask(sent) == answer


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("sent", BEGINNINGS)
async def test_a_peer_that_finishes_early_is_forgotten(serve, answering, context, sent, by_name):
    served = await serve(answering, Source(context) if by_name else context)
    reader, writer = await served.connect()
    writer.write(sent)
    writer.write_eof()
    assert await is_closed(reader)


@pytest.mark.parametrize(
    ("sent", "by_name"),
    [  # what begins like TLS is left to the event loop and its own timeout, unless there is a name to read
        pytest.param(b"", False, id="nothing"),
        pytest.param(b"GE", False, id="http"),
        pytest.param(b"", True, id="nothing-by-name"),
        pytest.param(b"GE", True, id="http-by-name"),
        pytest.param(HELLO[:100], True, id="hello-by-name"),
    ],
)
async def test_a_silent_peer_is_dropped_in_time(serve, answering, context, sent, by_name):
    served = await serve(answering, Source(context) if by_name else context)
    reader, writer = await served.connect()
    writer.write(sent)
    await asyncio.sleep(0.05)
    used = time.process_time()
    await asyncio.sleep(0.2)
    assert time.process_time() - used < 0.1  # waiting costs nothing
    served.push_clock(9)
    await asyncio.sleep(0.05)
    assert not reader.at_eof()
    served.push_clock(2)
    assert await is_closed(reader)


async def test_a_refused_peer_that_stays_is_dropped(serve, answering, context):
    served = await serve(answering, context)
    reader, writer = await served.connect()
    writer.write(GET)
    await reader.readuntil(b"server.\n")
    for _ in range(20):
        writer.write(b"x")
        await asyncio.sleep(0.01)
    served.push_clock(2)
    deadline = time.monotonic() + 5
    while not writer.transport.is_closing() and time.monotonic() < deadline:
        writer.write(b"x")
        await asyncio.sleep(0.01)
    assert writer.transport.is_closing()


# The handshake.


async def test_many_connections_at_once(serve, answering, pair, context):
    served = await serve(answering, context)
    client = client_context(pair.certificate)
    answers = await asyncio.gather(*(get(served, client) for _ in range(100)))
    assert all(answer.endswith(b"hello") for answer in answers)


async def test_a_hello_in_pieces(serve, answering, pair, context):
    source = Source(context)
    served = await serve(answering, source)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = client_context(pair.certificate).wrap_bio(incoming, outgoing, server_hostname="a.example")
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    reader, writer = await served.connect()
    hello = outgoing.read()
    for start in range(0, len(hello), 40):
        writer.write(hello[start : start + 40])
        await asyncio.sleep(0.002)
    incoming.write(await until_silent(reader))
    connection.do_handshake()
    writer.write(outgoing.read())
    connection.write(GET)
    writer.write(outgoing.read())
    incoming.write(await until_silent(reader))
    assert connection.read(1000).endswith(b"hello")
    assert [hello.server_name for hello in source.asked] == ["a.example"]


OLD = ssl.TLSVersion.TLSv1_1
TLS12 = ssl.TLSVersion.TLSv1_2
TLS13 = ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize(
    ("version", "authority", "alert"),
    [
        pytest.param(OLD, False, "TLSV1_ALERT_PROTOCOL_VERSION", id="too-old"),
        pytest.param(TLS12, True, "SSLV3_ALERT_HANDSHAKE_FAILURE", id="no-certificate"),
        pytest.param(TLS13, True, "TLSV13_ALERT_CERTIFICATE_REQUIRED", id="no-certificate-1.3"),
    ],
)
async def test_a_refused_client_is_told_why(serve, answering, pair, caplog, version, authority, alert):
    settings = Settings(pair.certificate, pair.key, pair.certificate if authority else "")
    served = await serve(answering, server_context(settings, "x"))
    client = client_context(pair.certificate)
    client.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):  # some are as old as that
        client.minimum_version = client.maximum_version = version
    port = served.listener.port

    def refusal():
        with socket.create_connection(("127.0.0.1", port)) as raw, client.wrap_socket(raw) as wrapped:
            wrapped.recv(1)

    with pytest.raises(ssl.SSLError) as caught:
        await asyncio.to_thread(refusal)
    assert caught.value.reason == alert
    await asyncio.sleep(0.02)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.records[0].getMessage().startswith("http: TLS handshake error from 127.0.0.1:")


async def test_closing_drops_those_who_have_not_begun(serve, answering, context):
    served = await serve(answering, context)
    reader, writer = await served.connect()
    writer.write(b"GE")
    await asyncio.sleep(0.02)
    served.listener.close()
    assert await is_closed(reader)
    with pytest.raises(ConnectionRefusedError):
        await served.connect()


# Contexts by name.


async def test_the_context_is_chosen_by_what_the_client_says(serve, answering, pair, context):
    source = Source(context)
    served = await serve(answering, source)
    client = client_context(pair.certificate)
    client.set_alpn_protocols(["http/1.1"])
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", served.listener.port, ssl=client, server_hostname="chat.example.org"
    )
    served.peers.append(writer)
    writer.write(GET)
    assert (await until_silent(reader)).endswith(b"hello")
    assert source.asked == [ClientHello("chat.example.org", (b"http/1.1",))]


async def test_a_context_may_take_its_time(serve, answering, pair, context):
    source = Source(context, asyncio.Event())
    served = await serve(answering, source)
    waiting = asyncio.create_task(get(served, client_context(pair.certificate)))
    await source.was_asked.wait()
    assert not waiting.done()
    source.ready.set()
    assert (await waiting).endswith(b"hello")


async def test_no_context_in_time(serve, answering, pair, context):
    source = Source(context, asyncio.Event())
    served = await serve(answering, source)
    waiting = asyncio.create_task(get(served, client_context(pair.certificate)))
    await source.was_asked.wait()
    served.push_clock(11)
    with pytest.raises((ConnectionError, ssl.SSLError)):
        await waiting
    source.ready.set()
    assert await source.later is context  # for whoever comes next


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_host_without_context_is_refused_with_an_alert(serve, answering, pair, at_once):
    source = Source(None) if at_once else Source(..., asyncio.Event())
    if not at_once:
        source.ready.set()
    served = await serve(answering, source)
    with pytest.raises(ssl.SSLError) as caught:
        await get(served, client_context(pair.certificate))
    assert caught.value.reason == "TLSV1_ALERT_INTERNAL_ERROR"


@pytest.mark.parametrize("protocols", [["acme"], ["smtp", "imap"]])
async def test_who_speaks_nothing_spoken_here_is_refused(serve, answering, pair, context, caplog, protocols):
    served = await serve(answering, context)
    client = client_context(pair.certificate)
    client.set_alpn_protocols(protocols)
    with pytest.raises(ssl.SSLError, match="alert no application protocol"):
        await asyncio.open_connection("127.0.0.1", served.listener.port, ssl=client, server_hostname="chat.example.org")
    assert f"client requested unsupported application protocols ([{' '.join(protocols)}])" in caplog.text


@pytest.mark.parametrize(("protocols", "agreed"), [([], None), (["smtp", "http/1.1"], "http/1.1"), (["h2"], "h2")])
async def test_the_first_common_protocol_is_spoken(serve, answering, pair, context, protocols, agreed):
    served = await serve(answering, context)
    client = client_context(pair.certificate)
    client.set_alpn_protocols(protocols)
    _, writer = await asyncio.open_connection(
        "127.0.0.1", served.listener.port, ssl=client, server_hostname="chat.example.org"
    )
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == agreed
    writer.close()
    await writer.wait_closed()
