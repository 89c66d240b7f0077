"""Fixtures for tests with a real browser; a folder's `conftest.py` imports those it wants."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.support import browser as browsers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


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
