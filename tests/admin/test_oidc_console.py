"""Logins by a real OpenID Connect provider, in a real browser (10 I.1)."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from aiohttp import ClientSession, DummyCookieJar, web
from playwright.async_api import expect

from tests.admin.console_page import Console
from tests.admin.oidc import SECRET
from tests.support.server import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, BrowserContext

    from tests.admin.oidc import Logins, StartLogins

ELSEWHERE = re.compile(r"https?://(?!127\.0\.0\.1)")
"""The provider's pages would like a typeface from the Internet."""
BOTH = pytest.mark.parametrize("secret", ["", SECRET], ids=["page", "server"])


@pytest_asyncio.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A browser that has been nowhere."""
    made = await browser.new_context(locale="en-US")
    await made.route(ELSEWHERE, lambda route: route.abort())
    yield made
    await made.close()


async def visit(context: BrowserContext, logins: Logins, screen: str = "") -> Console:
    """Open the console in a new tab."""
    console = Console(await context.new_page(), logins.console.rstrip("/"))
    await console.page.goto(f"{logins.console}{screen}")
    return console


async def log_in(console: Console, user: str) -> None:
    """Go to the provider, and say there who one is."""
    page = console.page
    await page.get_by_role("button", name="Continue with Example").click()
    await page.get_by_placeholder("Enter any login").fill(user)
    await page.get_by_placeholder("and password").fill("any")
    await page.get_by_role("button", name="Sign-in").click()
    await page.get_by_role("button", name="Continue").click()


@BOTH
async def test_operators_come_in_and_go(context: BrowserContext, logins: StartLogins, secret: str) -> None:
    running = logins(secret=secret)
    console = await visit(context, running, "#/api?method=info")
    await log_in(console, "olga")
    await expect(console.heading("API")).to_be_visible()
    await console.page.get_by_role("button", name="Call").click()
    await expect(console.card("Answer")).to_contain_text("num_clients")
    await console.page.reload()
    await expect(console.heading("API")).to_be_visible()
    assert "?" not in console.page.url.partition("#")[0]
    await console.page.get_by_role("button", name="Log out").click()
    await expect(console.heading("Log in")).to_be_visible()
    await console.page.reload()
    await expect(console.heading("Log in")).to_be_visible()
    assert console.errors == []
    assert "eyJ" not in running.server.log


@BOTH
async def test_others_do_not(context: BrowserContext, logins: StartLogins, secret: str) -> None:
    console = await visit(context, logins(secret=secret))
    await log_in(console, "guest")
    refusal = "You may not use this console." if secret else "Permission denied"
    await expect(console.page.get_by_text(refusal)).to_be_visible()
    await expect(console.heading("Overview")).to_have_count(0)


@BOTH
async def test_who_cancels_is_told_so(context: BrowserContext, logins: StartLogins, secret: str) -> None:
    console = await visit(context, logins(secret=secret), "#/channels")
    await console.page.get_by_role("button", name="Continue with Example").click()
    await console.page.get_by_role("link", name="Cancel").click()
    await expect(console.page.get_by_role("alert")).to_have_text("The provider refused the login.")
    await log_in(console, "olga")
    await expect(console.heading("Channels")).to_be_visible()


async def test_a_lapsed_login_is_made_good_by_the_provider(context: BrowserContext, logins: StartLogins) -> None:
    console = await visit(context, logins(secret=SECRET), "#/channels")
    await log_in(console, "olga")
    await expect(console.heading("Channels")).to_be_visible()
    await context.clear_cookies(name="fanjet_admin")
    async with console.page.expect_request("**/admin/oidc/callback?*"):
        await console.page.get_by_role("link", name="Configuration").click()
    await expect(console.heading("Configuration")).to_be_visible()
    await expect(console.page.get_by_text("Unauthorized")).to_have_count(0)


async def test_a_lapsed_token_is_renewed(context: BrowserContext, logins: StartLogins) -> None:
    console = await visit(context, logins(), "#/channels")
    await log_in(console, "olga")
    await expect(console.heading("Channels")).to_be_visible()
    await console.page.evaluate(
        """() => {
          const kept = JSON.parse(sessionStorage["fanjet.console.oidc"]);
          sessionStorage["fanjet.console.oidc"] = JSON.stringify({ ...kept, access: "lapsed" });
        }"""
    )
    async with console.page.expect_response("**/token") as renewal:
        await console.page.get_by_role("link", name="Configuration").click()
    assert (await renewal.value).ok
    await expect(console.heading("Configuration")).to_be_visible()


async def test_tokens_are_renewed_before_they_lapse(context: BrowserContext, logins: StartLogins) -> None:
    console = await visit(context, logins(seconds=31))
    async with console.page.expect_response(
        lambda answer: "grant_type=refresh_token" in (answer.request.post_data or ""), timeout=60_000
    ) as renewal:
        await log_in(console, "olga")
    assert (await renewal.value).ok


@contextlib.asynccontextmanager
async def below(port: int, path: str) -> AsyncIterator[dict[str, str]]:
    """A reverse proxy on a port that serves, below a path, the server at the address that is put into what this
    gives."""
    to: dict[str, str] = {}

    async def forward(request: web.Request) -> web.Response:
        target = to["url"] + request.raw_path.removeprefix(path)
        async with (
            ClientSession(cookie_jar=DummyCookieJar(), auto_decompress=False) as session,
            session.request(
                request.method, target, headers=request.headers, data=await request.read(), allow_redirects=False
            ) as answer,
        ):
            return web.Response(status=answer.status, headers=answer.headers, body=await answer.read())

    app = web.Application()
    app.router.add_route("*", f"{path}/{{rest:.*}}", forward)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield to
    await runner.cleanup()


@BOTH
async def test_it_works_below_a_path_of_a_proxy(context: BrowserContext, logins: StartLogins, secret: str) -> None:
    port = free_port()
    async with below(port, "/tools/fanjet") as to:
        running = logins(
            secret=secret,
            console=f"http://127.0.0.1:{port}/tools/fanjet/ops/",
            over={"admin": {"handler_prefix": "/ops"}},
        )
        to["url"] = running.server.url
        console = await visit(context, running, "#/channels")
        await log_in(console, "olga")
        await expect(console.heading("Channels")).to_be_visible()
        await console.page.get_by_role("button", name="Log out").click()
        await expect(console.heading("Log in")).to_be_visible()
        assert console.errors == []
