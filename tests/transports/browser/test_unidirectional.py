"""A page that only listens, without any SDK: the browser's own `EventSource` and `WebSocket` (02 §9.2, §9.3).

A few lines of script are all that a page needs in order to come back and to miss nothing.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.configs import OPEN
from tests.support.server import merge
from tests.transports.browser.conftest import ORIGIN

if TYPE_CHECKING:
    from playwright.async_api import Page

    from tests.conftest import StartServer
    from tests.support.server import Server

CONFIG: dict[str, Any] = merge(
    OPEN,
    {
        "client": {"allowed_origins": [ORIGIN]},
        "uni_websocket": {"enabled": True},
        "uni_sse": {"enabled": True},
    },
)
REFUSING: dict[str, Any] = merge(
    CONFIG,
    {
        "client": {"allow_anonymous_connect_without_token": False},
        "uni_sse": {
            "connect_code_to_http_response": {
                "enabled": True,
                "transforms": [{"code": 3501, "to": {"status_code": 401}}],
            }
        },
    },
)

LISTEN = """
([kind, base, channel]) => {
  window.seen = { data: [], recovered: [], ends: [] };
  let position = null;
  const take = (push) => {
    if (push.connect) {
      const sub = push.connect.subs[channel];
      seen.recovered.push(!!sub.recovered);
      (sub.publications || []).forEach((pub) => seen.data.push(pub.data));
      position = { epoch: sub.epoch, offset: sub.offset || 0 };
      (sub.publications || []).forEach((pub) => { position.offset = pub.offset; });
    } else if (push.pub) {
      seen.data.push(push.pub.data);
      position.offset = push.pub.offset;
    } else if (push.disconnect) {
      seen.ends.push(push.disconnect.code);
    }
  };
  const open = () => {
    const wish = position ? { recover: true, ...position } : {};
    const request = encodeURIComponent(JSON.stringify({ subs: { [channel]: wish } }));
    const url = `${base}/connection/${kind}?cf_connect=${request}`;
    const again = () => setTimeout(open, 50);
    const source = kind === "uni_sse" ? new EventSource(url) : new WebSocket(url.replace("http", "ws"));
    source.onmessage = (event) => take(JSON.parse(event.data));
    if (kind === "uni_sse") source.onerror = () => { source.close(); again(); };
    else source.onclose = again;
  };
  open();
}
"""


@pytest.fixture(params=["uni_sse", "uni_websocket"])
def kind(request: pytest.FixtureRequest) -> str:
    """What the page listens to."""
    return str(request.param)


@pytest.fixture
def channel() -> str:
    """A recoverable channel of this test alone."""
    return f"rec:{uuid.uuid4().hex}"


async def listen(page: Page, server: Server, kind: str, channel: str) -> None:
    await page.evaluate(LISTEN, [kind, server.url, channel])
    await connected(page, 1)


async def connected(page: Page, times: int) -> list[bool]:
    """Whether it recovered, for each time that it connected."""
    await page.wait_for_function("times => seen.recovered.length >= times", arg=times, timeout=15_000)
    return list(await page.evaluate("seen.recovered"))


async def heard(page: Page, count: int) -> list[str]:
    await page.wait_for_function("count => seen.data.length >= count", arg=count, timeout=15_000)
    return list(await page.evaluate("seen.data"))


async def test_a_page_listens(page: Page, shared_server: StartServer, kind: str, channel: str) -> None:
    server = shared_server(CONFIG)
    await listen(page, server, kind, channel)
    for text in ("one", "zwölf ☃"):
        await server.api("publish", {"channel": channel, "data": text})
    assert await heard(page, 2) == ["one", "zwölf ☃"]


async def test_what_is_published_while_the_page_is_away_is_recovered(
    page: Page, shared_server: StartServer, kind: str, channel: str
) -> None:
    server = shared_server(CONFIG)
    await listen(page, server, kind, channel)
    await server.api("publish", {"channel": channel, "data": "before"})
    assert await heard(page, 1) == ["before"]
    await page.context.set_offline(True)
    await server.api("disconnect", {"user": "", "disconnect": {"code": 3005, "reason": "away"}})
    for text in ("one", "two"):
        await server.api("publish", {"channel": channel, "data": text})
    await page.context.set_offline(False)
    assert await heard(page, 3) == ["before", "one", "two"]
    assert (await connected(page, 2))[-1]


async def test_a_restart_loses_no_message_of_a_recoverable_channel(
    page: Page, private_server: StartServer, redis_engine: dict[str, Any], kind: str, channel: str
) -> None:
    config = merge(CONFIG, redis_engine)
    server, other = private_server(config), private_server(config)
    await listen(page, server, kind, channel)
    await server.api("publish", {"channel": channel, "data": "before"})
    assert await heard(page, 1) == ["before"]
    await asyncio.to_thread(server.stop)
    await other.api("publish", {"channel": channel, "data": "meanwhile"})
    await asyncio.to_thread(server.start)
    assert await connected(page, 2) == [False, True]
    await other.api("publish", {"channel": channel, "data": "after"})
    assert await heard(page, 3) == ["before", "meanwhile", "after"]
    assert 3001 in await page.evaluate("seen.ends")


async def test_the_browser_itself_comes_back_unless_it_is_refused(page: Page, shared_server: StartServer) -> None:
    server, refusing = shared_server(CONFIG), shared_server(REFUSING)
    await page.evaluate(
        """([welcome, refused]) => {
          window.opened = 0;
          window.one = new EventSource(`${welcome}/connection/uni_sse`);
          one.onopen = () => { opened += 1; };
          window.other = new EventSource(`${refused}/connection/uni_sse`);
        }""",
        [server.url, refusing.url],
    )
    await page.wait_for_function("opened == 1 && other.readyState == EventSource.CLOSED", timeout=10_000)
    await server.api("disconnect", {"user": "", "disconnect": {"code": 3005, "reason": "away"}})
    await page.wait_for_function("opened == 2", timeout=15_000)
