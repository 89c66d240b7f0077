"""Acceptance checks 1, 3 and 20 to 28 of chapter 10: the admin endpoints."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from fanjet.admin.auth.login_token import issue
from tests.support.server import Server, free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from tests.conftest import StartServer

ADMIN = {"admin": {"enabled": True, "password": "pw", "secret": "sec"}}


async def ask(url: str, method: str = "GET", **options: Any) -> tuple[int, str]:
    """Return status and body."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, allow_redirects=False, **options) as answer,
    ):
        return answer.status, await answer.text()


async def log_in(url: str, password: str = "pw") -> tuple[int, str]:
    """Return status and token."""
    status, body = await ask(f"{url}/admin/auth", "POST", data={"password": password})
    return status, json.loads(body)["token"] if status == 200 else ""


def with_token(token: str) -> dict[str, str]:
    return {"Authorization": f"token {token}"}


@pytest.fixture
def server(shared_server: StartServer) -> Server:
    """A server with a password."""
    return shared_server(ADMIN)


@pytest.mark.parametrize("path", ["/admin/init", "/"])
async def test_nothing_is_there_by_default(shared_server: StartServer, path: str) -> None:
    assert (await ask(shared_server({}).url + path))[0] == 404


@pytest.mark.parametrize("external", [False, True])
async def test_it_is_on_the_internal_address_unless_external(tmp_path: Path, external: bool) -> None:
    internal = free_port()
    admin = ADMIN["admin"] | {"external": external}
    config = {"http_server": {"internal_port": str(internal)}, "admin": admin}
    server = Server(config, tmp_path)
    server.start()
    try:
        outside = await ask(f"{server.url}/admin/init")
        inside = await ask(f"http://127.0.0.1:{internal}/admin/init")
    finally:
        server.stop()
    assert (outside[0], inside[0]) == ((200, 404) if external else (404, 200))


async def test_init_tells_what_a_login_needs(server: Server) -> None:
    status, body = await ask(f"{server.url}/admin/init")
    assert (status, json.loads(body)) == (200, {"insecure": False, "edition": "oss", "authenticated": False})
    _, token = await log_in(server.url)
    assert json.loads((await ask(f"{server.url}/admin/init", headers=with_token(token)))[1])["authenticated"]


async def test_the_password_gives_a_token(server: Server) -> None:
    assert (await log_in(server.url))[1]
    assert await ask(f"{server.url}/admin/auth", "POST", data={"password": "no"}) == (400, "Bad Request\n")
    assert (await ask(f"{server.url}/admin/auth"))[0] == 405


@pytest.mark.parametrize("given", [{"password": "pw"}, {"secret": "sec"}])
async def test_without_password_or_secret_nobody_logs_in(shared_server: StartServer, given: Mapping[str, str]) -> None:
    server = shared_server({"admin": {"enabled": True, **given}})
    assert (await log_in(server.url, given.get("password", "")))[0] == 400


async def test_the_password_may_come_in_any_kind_of_form(server: Server) -> None:
    url = f"{server.url}/admin/auth"
    with aiohttp.MultipartWriter("form-data") as form:
        form.append("pw").set_content_disposition("form-data", name="password")
    assert (await ask(url, "POST", data=form))[0] == 200
    assert (await ask(f"{url}?password=pw", "POST"))[0] == 200
    assert (await ask(f"{url}?password=pw", "POST", data={"password": ""}))[0] == 400
    assert (await ask(url, "POST", json={"password": "pw"}))[0] == 400


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer {token}"}, {"Authorization": "token {token}x"}, {"Authorization": "{token}"}],
)
async def test_the_api_wants_the_token(server: Server, headers: Mapping[str, str]) -> None:
    _, token = await log_in(server.url)
    sent = {name: value.format(token=token) for name, value in headers.items()}
    assert await ask(f"{server.url}/admin/api", "POST", data='{"method":"info"}', headers=sent) == (401, "")
    assert (await ask(f"{server.url}/admin/api", headers=sent))[0] == 405


async def test_the_api_runs_commands(server: Server) -> None:
    _, token = await log_in(server.url)

    async def run(body: str) -> tuple[int, str]:
        return await ask(f"{server.url}/admin/api", "POST", data=body, headers=with_token(token))

    status, body = await run('{"method":"info","params":{}}')
    assert (status, len(json.loads(body)["result"]["nodes"])) == (200, 1)
    both = '{"id":1,"method":"publish","params":{"channel":"a","data":{}}}{"id":2,"method":"CHANNELS","params":{}}'
    status, body = await run(both)
    assert (status, [json.loads(line)["id"] for line in body.split("\n")]) == (200, [1, 2])
    assert (await run('{"method":"nope"}'))[0] == 400
    assert (await run(""))[0] == 400


async def test_a_token_belongs_to_a_secret_and_not_to_a_node(server: Server, shared_server: StartServer) -> None:
    changed = shared_server({"admin": ADMIN["admin"] | {"secret": "another"}})
    headers = with_token(issue("sec", time.time()))
    body = '{"method":"info"}'
    assert (await ask(f"{server.url}/admin/api", "POST", data=body, headers=headers))[0] == 200
    assert (await ask(f"{changed.url}/admin/api", "POST", data=body, headers=headers))[0] == 401


async def test_insecure_mode_asks_for_nothing_and_warns(shared_server: StartServer) -> None:
    server = shared_server({"admin": {"enabled": True, "insecure": True}})
    assert (await ask(f"{server.url}/admin/api", "POST", data='{"method":"info"}'))[0] == 200
    assert json.loads((await ask(f"{server.url}/admin/init"))[1])["authenticated"]
    assert "INSECURE admin mode enabled" in server.log


async def test_the_api_key_is_as_good_as_a_token(shared_server: StartServer) -> None:
    server = shared_server({"admin": ADMIN["admin"] | {"api_key": "the key"}})
    url = f"{server.url}/admin/api"
    assert (await ask(url, "POST", data='{"method":"info"}', headers={"X-API-Key": "the key"}))[0] == 200
    assert (await ask(url, "POST", data='{"method":"info"}', headers={"X-API-Key": "no"}))[0] == 401


async def test_everything_is_below_the_prefix(shared_server: StartServer) -> None:
    server = shared_server({"admin": ADMIN["admin"] | {"handler_prefix": "/ops/"}})
    status, page = await ask(f"{server.url}/ops/")
    assert (status, "<title>Fanjet console</title>" in page) == (200, True)
    assert (await ask(f"{server.url}/ops/console.css"))[0] == 200
    assert (await ask(f"{server.url}/ops/admin/init"))[0] == 200
    assert (await ask(f"{server.url}/ops"))[0] == 307
    assert (await ask(f"{server.url}/admin/init"))[0] == 404


async def test_the_page_by_its_name_leads_to_its_folder_with_the_query(server: Server) -> None:
    asked = f"{server.url}/index.html?code=1&state=a%20b"
    async with (
        aiohttp.ClientSession() as session,
        session.get(URL(asked, encoded=True), allow_redirects=False) as answer,
    ):
        assert (answer.status, answer.headers["Location"]) == (301, "./?code=1&state=a%20b")


async def test_the_pages_come_under_a_strict_policy(server: Server) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/") as answer:
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert await ask(f"{server.url}/nothing") == (404, "404 page not found\n")
    assert (await ask(f"{server.url}/vendor/lock.sha256"))[0] == 404


async def test_a_folder_may_take_the_place_of_the_pages(shared_server: StartServer, tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    (pages / "sub").mkdir(parents=True)
    (pages / "index.html").write_text("own")
    (pages / "sub" / "note.txt").write_text("note")
    (tmp_path / "secret.txt").write_text("secret")
    server = shared_server({"admin": ADMIN["admin"] | {"web_path": str(pages)}})
    assert await ask(f"{server.url}/") == (200, "own")
    assert await ask(f"{server.url}/sub/note.txt") == (200, "note")
    assert await ask(f"{server.url}/sub/note.txt", headers={"Range": "bytes=1-2"}) == (206, "ot")
    assert await ask(f"{server.url}/sub/note.txt", headers={"Range": "bytes=-1"}) == (206, "e")
    assert (await ask(f"{server.url}/sub/note.txt", headers={"Range": "bytes=9-"}))[0] == 416
    assert await ask(f"{server.url}/sub/note.txt", headers={"Range": "lines=1-2"}) == (416, "invalid range\n")
    assert (await ask(f"{server.url}/sub"))[0] == 301
    assert (await ask(f"{server.url}/nothing"))[0] == 404
    assert (await ask(f"{server.url}/%2e%2e/secret.txt"))[0] in (307, 404)
    assert (await ask(f"{server.url}/admin/api", "POST"))[0] == 401


@pytest.fixture
async def other_pages() -> AsyncIterator[str]:
    """A server that tells which path it was asked for."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.method} {request.path_qs}", headers={"X-Own": "1"}, status=202)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


async def test_another_server_may_take_the_place_of_the_pages(shared_server: StartServer, other_pages: str) -> None:
    server = shared_server({"admin": ADMIN["admin"] | {"web_proxy_address": f"{other_pages}/base"}})
    assert await ask(f"{server.url}/x?y=1") == (202, "GET /base/x?y=1")
    assert (await ask(f"{server.url}/admin/init"))[0] == 200


async def test_when_that_server_is_away_the_answer_is_502(shared_server: StartServer) -> None:
    server = shared_server({"admin": ADMIN["admin"] | {"web_proxy_address": "http://127.0.0.1:1"}})
    assert await ask(f"{server.url}/") == (502, "Bad Gateway\n")


async def test_wrong_passwords_are_throttled_and_the_right_one_is_not(shared_server: StartServer) -> None:
    server = shared_server({"admin": ADMIN["admin"] | {"secret": "of the throttled"}})
    statuses = [(await log_in(server.url, f"no {number}"))[0] for number in range(12)]
    assert statuses == [400] * 10 + [429] * 2
    assert (await log_in(server.url))[0] == 200
