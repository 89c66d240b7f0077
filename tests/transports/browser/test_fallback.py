"""The official SDK without WebSocket falls back without losing messages (02 §13.1)."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.configs import OPEN
from tests.support.server import Server, free_port, merge
from tests.transports.browser.conftest import ORIGIN, SDKS

if TYPE_CHECKING:
    from playwright.async_api import Page

    from tests.conftest import StartServer

CONFIG: dict[str, Any] = {
    "client": {"allowed_origins": [ORIGIN]},
    "http_stream": {"enabled": True},
    "sse": {"enabled": True},
    "rpc": {"ping": {"enabled": True}},
}

CONNECT = """
([transports, emulation, protobuf]) => {
  const client = new Centrifuge(transports, {
    emulationEndpoint: emulation, protocol: protobuf ? "protobuf" : "json",
    minReconnectDelay: 50, maxReconnectDelay: 200,
  });
  window.seen = { states: [], data: [], transport: "", recovered: [] };
  window.client = client;
  const text = (data) => data instanceof Uint8Array ? new TextDecoder().decode(data).replaceAll('"', "") : data;
  client.on("connecting", (ctx) => seen.states.push(`connecting ${ctx.code}`));
  client.on("connected", (ctx) => { seen.states.push("connected"); seen.transport = ctx.transport; });
  client.on("disconnected", (ctx) => seen.states.push(`disconnected ${ctx.code}`));
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


def transports(server: Server, *names: str) -> list[dict[str, str]]:
    """The SDK's list: a WebSocket that nobody answers, then these."""
    dead = {"transport": "websocket", "endpoint": f"ws://127.0.0.1:{free_port()}/connection/websocket"}
    urls = {name: server.ws_url if name == "websocket" else f"{server.url}/connection/{name}" for name in names}
    return [dead, *({"transport": name, "endpoint": url} for name, url in urls.items())]


async def connect(page: Page, server: Server, *names: str, protobuf: bool = False) -> None:
    await page.add_script_tag(path=SDKS / ("centrifuge.protobuf.js" if protobuf else "centrifuge.js"))
    await page.evaluate(CONNECT, [transports(server, *names), f"{server.url}/emulation", protobuf])


async def heard(page: Page, count: int) -> list[str]:
    """What has been published, once there are `count` of it."""
    await page.wait_for_function("count => seen.data.length >= count", arg=count, timeout=15_000)
    return list(await page.evaluate("seen.data"))


@pytest.fixture
def server(shared_server: StartServer) -> Server:
    return shared_server(merge(OPEN, CONFIG))


@pytest.mark.parametrize(("names", "used"), [(["http_stream", "sse"], "http_stream"), (["sse"], "sse")])
async def test_it_falls_back_at_once_and_does_everything(  # 02-53
    page: Page, server: Server, names: list[str], used: str
) -> None:
    channel = f"all:{uuid.uuid4().hex}"
    await connect(page, server, *names)
    assert await page.evaluate("seen.transport") == used
    assert await page.evaluate("seen.states") == ["connecting 0", "connected"]
    await page.evaluate("channel => subscribe(channel)", channel)
    await page.evaluate("sub.publish('mine')")
    await server.api("publish", {"channel": channel, "data": "theirs"})
    assert await heard(page, 2) == ["mine", "theirs"]
    assert await page.evaluate("sub.presenceStats().then(stats => stats.numClients)") == 1
    code = await page.evaluate("client.rpc('nothing', {}).then(() => 0, error => error.code)")
    assert code == 104


async def test_sse_is_next_where_streaming_is_blocked_too(page: Page, server: Server) -> None:
    await page.route("**/connection/http_stream", lambda route: route.abort())
    await connect(page, server, "http_stream", "sse")
    assert await page.evaluate("seen.transport") == "sse"


async def test_protobuf_takes_a_burst_without_reconnecting(page: Page, server: Server) -> None:  # 02-54
    channel = f"all:{uuid.uuid4().hex}"
    await connect(page, server, "http_stream", protobuf=True)
    await page.evaluate("channel => subscribe(channel)", channel)
    texts = [f"{number} {'x' * 500}" for number in range(100)]
    await asyncio.gather(*(server.api("publish", {"channel": channel, "data": text}) for text in texts))
    assert sorted(await heard(page, 100)) == sorted(texts)
    assert await page.evaluate("seen.states") == ["connecting 0", "connected"]


@pytest.mark.parametrize("name", ["websocket", "http_stream", "sse"])
async def test_a_restart_loses_no_message_of_a_recoverable_channel(
    page: Page, private_server: StartServer, redis_engine: dict[str, Any], name: str
) -> None:
    """What another node publishes while the page's one is down is recovered when that is back."""
    config = merge(merge(OPEN, CONFIG), redis_engine)
    server, other = private_server(config), private_server(config)
    channel = f"rec:{uuid.uuid4().hex}"
    await connect(page, server, name)
    await page.evaluate("channel => subscribe(channel)", channel)
    await server.api("publish", {"channel": channel, "data": "before"})
    assert await heard(page, 1) == ["before"]
    await asyncio.to_thread(server.stop)
    await other.api("publish", {"channel": channel, "data": "meanwhile"})
    await asyncio.to_thread(server.start)
    assert await heard(page, 2) == ["before", "meanwhile"]
    await other.api("publish", {"channel": channel, "data": "after"})
    assert await heard(page, 3) == ["before", "meanwhile", "after"]
    states = await page.evaluate("seen.states")
    assert (states[:3], states[-1]) == (["connecting 0", "connected", "connecting 3001"], "connected")
    assert await page.evaluate("seen.transport") == name
    assert await page.evaluate("seen.recovered") == [False, True]


@pytest.mark.parametrize("name", ["http_stream", "sse"])
async def test_what_is_published_while_the_page_is_away_is_recovered(page: Page, server: Server, name: str) -> None:
    channel = f"rec:{uuid.uuid4().hex}"
    await connect(page, server, name)
    await page.evaluate("channel => subscribe(channel)", channel)
    await page.context.set_offline(True)
    await server.api("disconnect", {"user": "", "disconnect": {"code": 3005, "reason": "away"}})
    for text in ("one", "two"):
        await server.api("publish", {"channel": channel, "data": text})
    await page.context.set_offline(False)
    assert await heard(page, 2) == ["one", "two"]
    assert await page.evaluate("seen.recovered") == [False, True]
