"""A development server and a real browser."""

import os
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.support import browser as browsers
from tests.support.server import Process, free_port


@pytest.fixture(scope="session")
def dev_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """`fanjet dev` as a user starts it, but for the port."""
    port = free_port()
    words = [sys.executable, "-m", "fanjet", "dev", "--port", str(port)]
    server = Process(words, port, tmp_path_factory.mktemp("dev"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def executable() -> browsers.Browser:
    """The browser to use; without one, its tests are left out."""
    found = browsers.find()
    if found is None:
        pytest.skip("no Chromium can be had (`make test` looks for one)")
    return found


@pytest_asyncio.fixture
async def browser(executable: browsers.Browser) -> AsyncIterator[Browser]:
    """A headless browser."""
    environment = os.environ | executable.environment
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=executable.path, env=environment)
        yield running
        await running.close()
