"""Page object of the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.async_api import expect

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

PASSWORD = "the password"

expect.set_options(timeout=30_000)


class Console:
    """The console in a browser tab, with the tab's errors."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: dialog.accept())

    async def log_in(self, password: str = PASSWORD) -> None:
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Log in").click()

    async def go(self, address: str) -> None:
        await self.page.goto(f"{self.url}/#/{address}")

    def heading(self, text: str) -> Locator:
        return self.page.get_by_role("heading", name=text, exact=True)

    def card(self, title: str) -> Locator:
        return self.page.locator(".card", has=self.page.get_by_role("heading", name=title))
