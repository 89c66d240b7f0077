"""The console in a real browser: the actions of each screen."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.admin.console_page import Console
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, Route

    from tests.admin.conftest import Clients
    from tests.conftest import StartServer

SCREENS = ("Overview", "Channels", "Connections", "Trace", "Why?", "API", "Configuration", "Settings")
CHARTS = 6


@pytest.fixture
def name() -> str:
    """A channel or user used only by this test."""
    return f"n{uuid.uuid4().hex[:12]}"


@pytest_asyncio.fixture
async def anonymous_console(browser: Browser, server: Server) -> AsyncIterator[Console]:
    """A console whose user has not logged in."""
    context = await browser.new_context(locale="en-US")
    console = Console(await context.new_page(), server.url)
    await console.page.goto(server.url)
    yield console
    assert console.errors == []
    await context.close()


@pytest_asyncio.fixture
async def console(anonymous_console: Console) -> Console:
    """A console whose user has logged in."""
    await anonymous_console.log_in()
    await expect(anonymous_console.heading("Overview")).to_be_visible()
    return anonymous_console


async def test_a_wrong_password_is_refused_and_too_many_are_throttled(
    browser: Browser, private_server: StartServer
) -> None:
    server = private_server({"admin": {"enabled": True, "password": "pw", "secret": "sec"}})
    page = await (await browser.new_context(locale="en-US")).new_page()
    console = Console(page, server.url)
    await page.goto(server.url)
    for _ in range(10):
        await console.log_in("wrong")
        await expect(page.get_by_role("alert")).to_have_text("Wrong password.")
    await console.log_in("wrong")
    await expect(page.get_by_role("alert")).to_contain_text("Too many wrong passwords")
    await console.log_in("pw")
    await expect(console.heading("Overview")).to_be_visible()


async def test_a_login_lasts_until_one_logs_out(console: Console) -> None:
    await console.page.reload()
    await expect(console.heading("Overview")).to_be_visible()
    await console.page.get_by_role("button", name="Log out").click()
    await expect(console.page.get_by_label("Password")).to_be_visible()
    await console.page.reload()
    await expect(console.page.get_by_label("Password")).to_be_visible()


async def test_the_overview_shows_nodes_and_draws_charts(console: Console) -> None:
    await expect(console.card("Nodes").locator("tbody tr")).to_have_count(1)
    await expect(console.page.locator(".chart canvas")).to_have_count(CHARTS, timeout=15_000)


async def test_a_channel_is_found_published_to_and_tailed(console: Console, clients: Clients, name: str) -> None:
    page = console.page
    async with clients.open("alice", name) as client:
        await console.go("channels")
        await page.get_by_label("Search").fill(name)
        await page.get_by_role("link", name=name).click()
        await console.card("Live tail").get_by_role("button", name="Start").click()
        await expect(console.card("Live tail").locator(".badge")).to_have_text("live")
        await page.get_by_label("Data (JSON)").fill('{"text": "from the console"}')
        await console.card("Publish").get_by_role("button", name="Publish").click()
        await expect(page.locator(".log li")).to_contain_text("from the console")
        assert (await client.receive())["push"]["pub"]["data"] == {"text": "from the console"}
        await console.card("History").get_by_role("button", name="Read again").click()
        await expect(console.card("History").locator("tbody tr")).to_have_count(1)
        await expect(console.card("Presence").locator("tbody tr")).to_contain_text(["alice"])
        await console.card("History").get_by_role("button", name="Remove").click()
        await expect(console.card("History")).to_contain_text("No publication is kept.")


async def test_a_connection_is_found_read_unsubscribed_and_disconnected(
    console: Console, clients: Clients, name: str
) -> None:
    page = console.page
    async with clients.open(name, f"{name}-a", f"{name}-b") as client:
        await console.go("connections")
        await page.get_by_label("User or client").fill(name)
        await expect(page.locator("tbody tr")).to_have_count(1)
        await page.get_by_role("link", name=name).click()
        await expect(console.card("Connection").first).to_contain_text(client.id)
        row = console.card("Subscriptions").locator("tr", has_text=f"{name}-a")
        await row.get_by_role("button", name="Unsubscribe").click()
        await expect(console.heading("Subscriptions (1)")).to_be_visible()
        assert (await client.receive())["push"]["unsubscribe"]["code"] == 2000
        await page.get_by_role("button", name="Disconnect").click()
        await expect(console.heading("Gone")).to_be_visible()
        assert (await client.socket.receive(timeout=10)).data == 3503
    await page.get_by_role("link", name="All connections").click()
    await page.get_by_label("User or client").fill(name)
    await expect(page.locator(".card")).to_contain_text("Nobody is connected.")


async def test_a_client_is_traced(console: Console, clients: Clients, name: str) -> None:
    page = console.page
    async with clients.open(name, name) as client:
        await console.go(f"tracing?client_id={client.id}")
        await expect(page.locator(".log li", has_text="watching")).to_have_count(1)
        await client.call(presence_stats={"channel": name})
        await expect(page.locator(".log li", has_text="command")).to_contain_text("presence_stats")
        await page.get_by_label("Filter").fill("reply")
        await expect(page.locator(".log li")).to_have_count(1)
        await page.get_by_role("button", name="Stop").click()
        async with page.expect_download() as download:
            await page.get_by_role("button", name="Download").click()
        lines = (await (await download.value).path()).read_text().splitlines()
        assert {"watching", "command", "reply"} <= {json.loads(line)["type"] for line in lines}


async def test_a_missing_delivery_is_diagnosed(console: Console, clients: Clients, name: str) -> None:
    page = console.page
    async with clients.open(name):
        await console.go("why")
        await page.get_by_label("User").fill(name)
        await page.get_by_label("Channel").fill(name)
        await page.get_by_role("button", name="Look").click()
        await expect(page.locator(".verdict")).to_contain_text("It may, but has not asked to")


async def test_methods_are_called_and_shown_as_code(console: Console, name: str) -> None:
    page = console.page
    await console.go("api?method=publish")
    await page.get_by_label("channel", exact=True).fill(name)
    await expect(page.locator("pre").first).to_contain_text(f'"channel": "{name}"')
    await expect(page.locator("pre").nth(1)).to_contain_text(f'"channel":"{name}"')
    await expect(page.locator("pre").last).to_contain_text(f'"channel": "{name}"')
    await page.get_by_role("button", name="Call").click()
    await expect(console.card("Answer").locator("pre").first).to_contain_text('"offset": 1')
    await page.get_by_label("Method").select_option("map_stats")
    await expect(page.get_by_label("channel", exact=True)).to_have_value("")


async def test_all_clients_of_a_user_are_found_and_disconnected(console: Console, clients: Clients, name: str) -> None:
    page = console.page
    async with clients.open(name) as one, clients.open(name) as two:
        await console.go(f"connections?client={one.id}")
        await page.get_by_role("link", name=name).click()
        await expect(page.locator("tbody tr")).to_have_count(2)
        await expect(page.locator("tbody tr").first).to_contain_text("js 5")
        await page.get_by_label("Client software").fill("swift")
        await expect(page.locator(".screen")).to_contain_text("No connection matches.")
        await page.get_by_label("Client software").fill("JS 5")
        await expect(page.locator("tbody tr")).to_have_count(2)
        await page.get_by_role("button", name="Disconnect all").click()
        await expect(page.locator(".screen")).to_contain_text("Nobody is connected.")
        for client in (one, two):
            assert (await client.socket.receive(timeout=10)).data == 3503


async def test_the_browser_keeps_how_the_console_looks_until_it_is_cleared(console: Console) -> None:
    page = console.page
    root = page.locator("html")
    await console.go("settings")
    await expect(page.get_by_text("Version 0.")).to_be_visible()
    await page.locator(".screen").get_by_label("Theme").select_option("dark")
    await page.get_by_label("Accent").select_option("rose")
    await page.reload()
    await expect(root).to_have_attribute("data-accent", "rose")
    await expect(root).to_have_attribute("data-dark", "")
    await page.get_by_role("button", name="Clear local data").click()
    await expect(root).to_have_attribute("data-accent", "teal")
    await expect(page.locator(".screen").get_by_label("Theme")).to_have_value("")
    await page.reload()
    await expect(console.heading("Settings")).to_be_visible()


async def test_the_configuration_is_searched(console: Console) -> None:
    page = console.page
    await console.go("configuration")
    await expect(page.locator(".leaf", has_text="password")).to_contain_text("••••••")
    await page.get_by_label("only what differs").uncheck()
    await page.get_by_label("Search").fill("pong_timeout")
    await expect(page.locator(".leaf", has_text="CLIENT_PONG_TIMEOUT")).to_contain_text("8s")


async def test_tokens_are_issued_and_inspected_in_development(browser: Browser, private_server: StartServer) -> None:
    server = private_server({"admin": {"enabled": True, "insecure": True, "handler_prefix": "/ops"}})
    page = await (await browser.new_context(locale="en-US")).new_page()
    await page.goto(f"{server.url}/ops/#/tokens")
    await page.get_by_label("User").fill("bob")
    await page.get_by_role("button", name="Make").click()
    await expect(page.locator("#made")).to_contain_text("eyJ")
    await page.get_by_role("button", name="Inspect").click()
    await expect(page.locator(".good-text")).to_contain_text("This server takes it.")
    await page.get_by_label("Token", exact=True).fill("no.token.atall")
    await page.get_by_role("button", name="Inspect").click()
    await expect(page.locator(".bad-text")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_screens_fit_their_window(
    browser: Browser, server: Server, clients: Clients, name: str, scheme: str, width: int
) -> None:
    context = await browser.new_context(locale="en-US", color_scheme=scheme, viewport={"width": width, "height": 800})
    console = Console(await context.new_page(), server.url)
    await console.page.goto(server.url)
    await console.log_in()
    async with clients.open(name, name) as client:
        shown = {
            "": "Overview",
            "channels": "Channels",
            f"channels?channel={name}": name,
            "connections": "Connections",
            f"connections?client={client.id}": name,
            "trace": "Trace",
            "why": "Why did it not arrive?",
            "api": "API",
            "configuration?all=1": "Configuration",
            "settings": "Settings",
            f"inspector?tab=user&user={name}": name,
        }
        for address, heading in shown.items():
            await console.go(address)
            await expect(console.heading(heading)).to_be_visible()
            assert await console.page.evaluate("document.documentElement.scrollWidth") <= width, heading
    assert console.errors == []
    await context.close()


async def test_a_screen_that_was_left_adds_nothing_to_the_next(console: Console, clients: Clients, name: str) -> None:
    page = console.page
    held, go_on = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        held.set()
        await go_on.wait()
        await route.continue_()

    await page.route("**/admin/api", hold)
    async with clients.open(name, name) as client:
        await console.go(f"channels?channel={name}")
        await held.wait()
        await console.go(f"connections?client={client.id}")
        await expect(console.heading(name)).to_be_visible()
        async with page.expect_event("requestfinished", lambda request: request.url.endswith("/admin/api")):
            go_on.set()
        await expect(console.card("Subscriptions")).to_be_visible()
        await expect(console.heading(name)).to_have_count(1)
        await expect(console.card("Live tail")).to_have_count(0)


async def test_every_screen_is_reached_by_keyboard(console: Console) -> None:
    page = console.page
    for title in SCREENS:
        link = page.get_by_role("navigation").get_by_role("link", name=title)
        await link.focus()
        await page.keyboard.press("Enter")
        await expect(link).to_have_attribute("aria-current", "page")
        await expect(page).to_have_title(f"{title} · Fanjet console")


async def test_a_failing_server_is_reported(browser: Browser, tmp_path: Path) -> None:
    server = Server({"admin": {"enabled": True, "insecure": True}}, tmp_path)
    server.start()
    page = await (await browser.new_context(locale="en-US")).new_page()
    await page.goto(f"{server.url}/#/channels")
    await expect(page.get_by_role("heading", name="Channels")).to_be_visible()
    server.stop()
    await page.get_by_label("Search").fill("x")
    await expect(page.locator(".bad-text")).to_have_text("The server cannot be reached.")
