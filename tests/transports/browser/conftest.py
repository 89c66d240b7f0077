"""A page of another origin with the official SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page  # noqa: TC002 - pytest-asyncio resolves the annotations

from tests.support.browsing import browser, executable  # noqa: F401
from tests.support.paths import NODE_MODULES
from tests.support.redis import Redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ORIGIN = "http://127.0.0.1:*"
"""Pattern of the page's origin."""
SDKS = NODE_MODULES / "centrifuge" / "dist"


@pytest.fixture(scope="session")
def redis_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Configuration of servers whose streams outlive them."""
    redis = Redis(tmp_path_factory.mktemp("redis"))
    redis.start()
    yield {"engine": {"type": "redis", "redis": {"address": redis.address}}}
    redis.stop()


@pytest_asyncio.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:  # noqa: F811
    """An empty page, to load a script into. It comes from a real server, for a page that comes from nowhere may not
    reach loopback addresses."""
    if not SDKS.is_dir():
        pytest.skip("the JavaScript SDK is not installed (`make test` gets it from npm)")
    site = web.Application()
    site.router.add_get("/", _html)
    async with TestServer(site, host="127.0.0.1") as served:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(str(served.make_url("/")))
        yield page
        await context.close()


async def _html(request: web.Request) -> web.Response:
    return web.Response(text="<title>page</title>", content_type="text/html")
