"""The files of the development server's page."""

import aiohttp
import pytest

from tests.support.server import Process


async def test_the_page_is_served_under_a_strict_policy(dev_server: Process) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{dev_server.url}/") as answer:
        body = await answer.text()
    assert (answer.status, answer.content_type) == (200, "text/html")
    assert body.startswith("<!doctype html>")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/page.css", "text/css"),
        ("/page.js", "text/javascript"),
        ("/favicon.svg", "image/svg+xml"),
        ("/vendor/centrifuge.js", "text/javascript"),
        ("/vendor/centrifuge.LICENSE.txt", "text/plain"),
    ],
)
async def test_each_file_has_its_type(dev_server: Process, path: str, content_type: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{dev_server.url}{path}") as answer:
        assert (answer.status, answer.content_type) == (200, content_type)
        assert await answer.read()


@pytest.mark.parametrize("path", ["/nothing", "/index.html/x", "/vendor/", "/vendor/lock.sha256", "/static/page.js"])
async def test_other_paths_are_not_found(dev_server: Process, path: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{dev_server.url}{path}") as answer:
        assert (answer.status, await answer.text()) == (404, "404 page not found\n")


async def test_files_are_read_only(dev_server: Process) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{dev_server.url}/", data=b"x") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
        async with session.head(f"{dev_server.url}/page.js") as answer:
            assert (answer.status, await answer.read()) == (200, b"")


async def test_the_console_is_on_without_login_and_linked(dev_server: Process) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{dev_server.url}/") as answer:
            assert '<a href="/admin/">' in await answer.text()
        async with session.get(f"{dev_server.url}/admin/") as answer:
            assert "<title>Fanjet console</title>" in await answer.text()
        async with session.get(f"{dev_server.url}/admin/admin/console/features") as answer:
            assert await answer.json() == {"tokens": True}


async def test_the_startup_message_has_urls_and_insecure_settings(dev_server: Process) -> None:
    assert f"{dev_server.url}/" in dev_server.log
    assert "INSECURE, for development only" in dev_server.log
