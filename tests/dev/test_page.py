"""The development page in a real browser."""

import re
import uuid
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.server import Process


class Tab:
    """A browser tab with its errors."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda line: line.type in ("error", "warning") and self.complaints.append(line.text))

    async def open(self, url: str) -> None:
        await self.page.goto(url)
        await expect(self.page.locator("#status")).to_have_attribute("data-state", "connected")
        await expect(self.page.locator("#subscription")).to_contain_text("subscribed, epoch")

    async def say(self, text: str) -> None:
        await self.page.get_by_placeholder("Write a message").fill(text)
        await self.page.get_by_role("button", name="Publish").click()

    def message(self, text: str) -> Locator:
        return self.page.locator("#messages li", has_text=text)


@pytest_asyncio.fixture
async def tabs(browser: Browser, dev_server: Process) -> AsyncIterator[list[Tab]]:
    """Two tabs on a channel used only by this test."""
    channel = f"room-{uuid.uuid4().hex[:8]}"
    opened = [Tab(await (await browser.new_context()).new_page()) for _ in range(2)]
    for tab in opened:
        await tab.open(f"{dev_server.url}/#{channel}")
    yield opened
    assert [complaint for tab in opened for complaint in tab.complaints] == []


async def test_a_message_from_one_tab_shows_in_both(tabs: list[Tab]) -> None:
    await tabs[0].say("Hello, other tab")
    for tab in tabs:
        await expect(tab.message("Hello, other tab")).to_have_count(1)
    await expect(tabs[0].page.get_by_placeholder("Write a message")).to_have_value("")


async def test_markup_in_a_message_stays_text(tabs: list[Tab]) -> None:
    await tabs[0].say("<img src=x onerror=alert(1)>")
    await expect(tabs[1].message("<img src=x onerror=alert(1)>")).to_have_count(1)


async def test_both_tabs_are_present_until_one_closes(tabs: list[Tab]) -> None:
    for tab in tabs:
        await expect(tab.page.locator("#count")).to_have_text("2")
    await tabs[1].page.close()
    await expect(tabs[0].page.locator("#count")).to_have_text("1")


async def test_messages_missed_while_offline_are_recovered(tabs: list[Tab]) -> None:
    away, here = (tab.page for tab in tabs)
    await away.get_by_role("button", name="Go offline").click()
    await expect(away.locator("#status")).to_have_attribute("data-state", "connecting")
    await expect(here.locator("#count")).to_have_text("1")
    await tabs[1].say("While you were away")
    await expect(away.locator("#recovery")).to_have_text("Back, and every missed message is here.", timeout=15_000)
    recovered = away.locator("#messages li.recovered")
    await expect(recovered).to_have_count(4)
    assert re.findall(r"message (\w+)", " ".join(await recovered.all_inner_texts())) == ["one", "two", "three"]
    await tabs[1].say("Live again")
    await expect(tabs[0].message("Live again")).not_to_have_class("recovered")


async def test_another_channel_is_entered_and_the_second_tab_link_follows(tabs: list[Tab]) -> None:
    page = tabs[0].page
    await page.get_by_label("Channel name").fill("another one")
    await page.get_by_role("button", name="Subscribe").click()
    await expect(page.locator("#count")).to_have_text("1")
    await expect(page.locator("#curl")).to_contain_text('"channel":"another one"')
    assert (await page.get_by_role("link", name="Open a second tab").get_attribute("href")) == "/#another%20one"


async def test_the_command_on_the_page_publishes(tabs: list[Tab], dev_server: Process) -> None:
    command = await tabs[0].page.locator("#curl").inner_text()
    found = re.fullmatch(r"curl -d '(.+)' (\S+)", command)
    assert found is not None
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(found[2], data=found[1].encode(), headers=headers) as answer,
    ):
        assert (answer.status, "result" in await answer.json()) == (200, True)
    await expect(tabs[1].message("Hello from the shell")).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_the_page_fits_its_window(browser: Browser, dev_server: Process, scheme: str, width: int) -> None:
    context = await browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
    tab = Tab(await context.new_page())
    await tab.open(f"{dev_server.url}/#fits-{scheme}-{width}")
    await tab.say("a-long-word-" * 40)
    await expect(tab.message("a-long-word")).to_have_count(1)
    assert await tab.page.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.complaints == []
