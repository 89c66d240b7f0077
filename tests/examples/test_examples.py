"""The examples in a real browser."""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING

import aiohttp
import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.async_api import Browser, Page

    from tests.support.server import Process


async def opened(browser: Browser, url: str) -> Page:
    page = await (await browser.new_context()).new_page()
    await page.goto(url)
    return page


async def say(page: Page, text: str) -> None:
    await page.get_by_placeholder("Write a message").fill(text)
    await page.get_by_role("button", name="Send").click()


@pytest.mark.parametrize("name", ["chat_fastapi", "chat_django"])
async def test_two_people_chat(browser: Browser, start_example: Callable[[str], Process], name: str) -> None:
    example = await asyncio.to_thread(start_example, name)
    ann = await opened(browser, f"{example.url}/?name=Ann")
    await expect(ann.locator("#status")).to_have_text("connected as Ann", timeout=60_000)
    await say(ann, "Is anybody here?")
    await expect(ann.locator("#messages li")).to_have_text(["AnnIs anybody here?"])
    bob = await opened(browser, f"{example.url}/?name=Bob")
    await expect(bob.locator("#messages li")).to_have_text(["AnnIs anybody here?"])
    await say(bob, "<b>Yes</b>")
    for page in (ann, bob):
        await expect(page.locator("#messages li").last).to_have_text("Bob<b>Yes</b>")
    await say(bob, " ")
    await expect(bob.locator("#status")).to_contain_text("say something")
    async with aiohttp.ClientSession() as session:
        if name == "chat_fastapi":
            posting = session.post(f"{example.url}/rooms/lobby/announcements", params={"text": "We close"})
        else:
            posting = session.post(f"{example.url}/announcements", data={"text": "We close"})
        async with posting as answer:
            assert answer.status == 200
    for page in (ann, bob):
        await expect(page.locator("#messages li").last).to_have_text("the houseWe close")


async def test_notifications_arrive_that_curl_sends(browser: Browser, start_example: Callable[[str], Process]) -> None:
    example = await asyncio.to_thread(start_example, "notifications")
    page = await opened(browser, example.url)
    await expect(page.locator("#status")).to_have_text("listening")
    command = shlex.split(example.log.partition("Notify: ")[2].replace("\\\n", " ").splitlines()[0])
    assert command[0] == "curl"
    curl = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, _ = await curl.communicate()
    assert b'"offset":1' in output
    await expect(page.locator("#feed li")).to_have_text(["Dinner is ready"])
