"""WebTransport and HTTP/3 as a browser speaks them, with the official SDK and without (02 §3.4, §8)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import ssl
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.async_api import async_playwright

from tests.acceptance.configs import OPEN
from tests.support.certificates import Pair, issue
from tests.support.server import Server, merge
from tests.support.tokens import token
from tests.transports.browser.conftest import ORIGIN, SDKS

if TYPE_CHECKING:
    from playwright.async_api import Page

    from tests.conftest import StartServer
    from tests.support.browser import Browser

pytest.importorskip("aioquic", reason="the extra fanjet[http3] is not installed")

# A browser trusts a certificate by its hash when it is valid for two weeks at most.
PINNED = """
(hash) => {
  const value = Uint8Array.from(atob(hash), (letter) => letter.charCodeAt(0));
  window.WebTransport = class extends WebTransport {
    constructor(url) { super(url, { serverCertificateHashes: [{ algorithm: "sha-256", value }] }); }
  };
}
"""

NATIVE = """
async (url) => {
  const session = new WebTransport(url);
  try { await session.ready; } catch (error) { return "refused"; }
  const stream = await session.createBidirectionalStream();
  await stream.writable.getWriter().write(new TextEncoder().encode('{"id":1,"connect":{}}\\n'));
  const { value } = await stream.readable.getReader().read();
  session.close();
  return new TextDecoder().decode(value);
}
"""

DENIED = """
async (url) => {
  const session = new WebTransport(url);
  await session.ready;
  const stream = await session.createBidirectionalStream();
  await stream.writable.getWriter().write(new TextEncoder().encode('{"id":1,"connect":{"token":"x"}}\\n'));
  const reader = stream.readable.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let piece; !(piece = await reader.read()).done;) text += piece.value;
  const { closeCode, reason } = await session.closed;
  return { text, closeCode, reason };
}
"""

CONNECT = """
([endpoint, token, protobuf]) => {
  const client = new Centrifuge([{ transport: "webtransport", endpoint }], {
    token, protocol: protobuf ? "protobuf" : "json",
    minReconnectDelay: 50, maxReconnectDelay: 200,
  });
  window.seen = { states: [], data: [], recovered: [], transport: "" };
  const text = (data) => data instanceof Uint8Array ? JSON.parse(new TextDecoder().decode(data)) : data;
  client.on("connecting", (ctx) => seen.states.push(`connecting ${ctx.code}`));
  client.on("connected", (ctx) => { seen.states.push("connected"); seen.transport = ctx.transport; });
  client.on("disconnected", (ctx) => seen.states.push(`disconnected ${ctx.code}`));
  window.client = client;
  window.subscribe = (channel) => new Promise((resolve, reject) => {
    const sub = client.newSubscription(channel);
    sub.on("publication", (ctx) => seen.data.push(text(ctx.data)));
    sub.on("subscribed", (ctx) => { seen.recovered.push(ctx.recovered); resolve(); });
    sub.on("error", (ctx) => reject(new Error(ctx.error.message)));
    sub.subscribe();
    window.sub = sub;
  });
  client.connect();
  return client.ready(5000);
}
"""


@pytest.fixture(scope="module")
def pair() -> Pair:
    return issue()


@pytest.fixture
def config(pair: Pair) -> dict[str, Any]:
    """A server that speaks HTTP/3 to pages of every port of this host."""
    tls = {"enabled": True, "cert_pem": pair.certificate, "key_pem": pair.key}
    own = {
        "client": {"allowed_origins": [ORIGIN]},
        "http_server": {"tls": tls, "http3": {"enabled": True}},
        "webtransport": {"enabled": True},
        "http_stream": {"enabled": True},
        "init": {"enabled": True},
    }
    return merge(OPEN, own)


@pytest.fixture
def channel() -> str:
    return uuid.uuid4().hex


def endpoint(server: Server) -> str:
    return f"{server.url}/connection/webtransport"


async def pin(page: Page, pair: Pair) -> None:
    der = ssl.PEM_cert_to_DER_cert(pair.certificate)
    await page.evaluate(PINNED, base64.b64encode(hashlib.sha256(der).digest()).decode())


async def connect(page: Page, server: Server, pair: Pair, user: str, *, protobuf: bool = False) -> None:
    await pin(page, pair)
    await page.add_script_tag(path=SDKS / ("centrifuge.protobuf.js" if protobuf else "centrifuge.js"))
    await page.evaluate(CONNECT, [endpoint(server), token(user), protobuf])


async def wait_for_data(page: Page, count: int) -> list[str]:
    await page.wait_for_function("(count) => seen.data.length >= count", arg=count, timeout=15_000)
    return list(await page.evaluate("seen.data"))


async def test_a_page_speaks_without_an_sdk(
    shared_server: StartServer, config: dict[str, Any], page: Page, pair: Pair
) -> None:
    await pin(page, pair)
    answer = await page.evaluate(NATIVE, endpoint(shared_server(config)))
    assert answer.startswith('{"id":1,"connect":{"client":')


async def test_other_origins_are_refused(
    shared_server: StartServer, config: dict[str, Any], page: Page, pair: Pair
) -> None:
    server = shared_server(merge(config, {"client": {"allowed_origins": ["https://elsewhere.example"]}}))
    await pin(page, pair)
    assert await page.evaluate(NATIVE, endpoint(server)) == "refused"


async def test_a_page_learns_why_it_may_not_connect(
    shared_server: StartServer, config: dict[str, Any], page: Page, pair: Pair
) -> None:
    await pin(page, pair)
    told = await page.evaluate(DENIED, endpoint(shared_server(config)))
    assert told["text"] == '{"push":{"disconnect":{"code":3500,"reason":"invalid token"}}}\n'
    assert (told["closeCode"], told["reason"]) == (3500, "invalid token")


@pytest.mark.parametrize("protobuf", [False, True], ids=["json", "protobuf"])
async def test_the_sdk_does_everything_over_webtransport(
    shared_server: StartServer, config: dict[str, Any], page: Page, pair: Pair, channel: str, protobuf: bool
) -> None:
    server = shared_server(config)
    await connect(page, server, pair, channel, protobuf=protobuf)
    assert await page.evaluate("seen.transport") == "webtransport"
    await page.evaluate("(channel) => subscribe(channel)", f"all:{channel}")
    data = "new TextEncoder().encode('\"from the page\"')" if protobuf else "'from the page'"
    await page.evaluate(f"sub.publish({data})")
    texts = [f"{number} ü" for number in range(100)]
    for text in texts:
        await server.api("publish", {"channel": f"all:{channel}", "data": text})
    assert await wait_for_data(page, 101) == ["from the page", *texts]
    assert (await page.evaluate("sub.history({limit: 1}).then((result) => result.offset)")) == 101
    assert await page.evaluate("seen.states") == ["connecting 0", "connected"]


async def test_nothing_is_lost_when_a_connection_is_renewed(
    shared_server: StartServer, config: dict[str, Any], page: Page, pair: Pair, channel: str
) -> None:
    server = shared_server(config)
    await connect(page, server, pair, channel)
    await page.evaluate("(channel) => subscribe(channel)", f"long:{channel}")
    expected = []
    for number in range(60):
        if number % 20 == 10:
            await server.api("disconnect", {"user": channel, "disconnect": {"code": 4000, "reason": "again"}})
        await server.api("publish", {"channel": f"long:{channel}", "data": str(number)})
        expected.append(str(number))
        await asyncio.sleep(0.01)
    assert await wait_for_data(page, len(expected)) == expected
    states = await page.evaluate("seen.states")
    assert states.count("connecting 4000") >= 1
    assert set(await page.evaluate("seen.recovered.slice(1)")) == {True}


async def test_a_restart_loses_no_message_of_a_recoverable_channel(
    private_server: StartServer,
    config: dict[str, Any],
    redis_engine: dict[str, Any],
    page: Page,
    pair: Pair,
    channel: str,
) -> None:
    both = merge(config, redis_engine)
    server, other = private_server(both), private_server(both)
    await connect(page, server, pair, channel)
    await page.evaluate("(channel) => subscribe(channel)", f"long:{channel}")
    await server.api("publish", {"channel": f"long:{channel}", "data": "before"})
    await wait_for_data(page, 1)
    await asyncio.to_thread(server.stop)
    await other.api("publish", {"channel": f"long:{channel}", "data": "meanwhile"})
    await asyncio.to_thread(server.start)
    await page.wait_for_function("seen.recovered.length === 2", timeout=30_000)
    assert await page.evaluate("seen.recovered") == [False, True]
    await other.api("publish", {"channel": f"long:{channel}", "data": "after"})
    assert await wait_for_data(page, 3) == ["before", "meanwhile", "after"]


async def test_a_browser_streams_over_http3(
    private_server: StartServer, config: dict[str, Any], executable: Browser, pair: Pair
) -> None:
    server = private_server(config)
    key = x509.load_pem_x509_certificate(pair.certificate.encode()).public_key()
    spki = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    switches = [
        f"--origin-to-force-quic-on=127.0.0.1:{server.port}",
        f"--ignore-certificate-errors-spki-list={base64.b64encode(spki).decode()}",
    ]
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=executable.path, env=os.environ | executable.environment, args=switches
        )
        page = await running.new_page()
        await page.goto(f"{server.url}/connection/init")
        first = await page.evaluate(
            """async () => {
              const body = '{"id":1,"connect":{}}';
              const response = await fetch("/connection/http_stream", { method: "POST", body });
              const { value } = await response.body.getReader().read();
              const [page] = performance.getEntriesByType("navigation");
              return [response.status, new TextDecoder().decode(value), page.nextHopProtocol];
            }"""
        )
        await running.close()
    assert first[0] == 200
    assert first[1].startswith('{"id":1,"connect":{')
    assert first[2] == "h3"
