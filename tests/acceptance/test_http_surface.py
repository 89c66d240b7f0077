"""Paths, methods, origins and ports, as an HTTP client sees them (02 §2, §3, §6.2)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import websockets
from yarl import URL

from tests.support.server import API_KEY, free_port
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conftest import StartServer
    from tests.support.server import Server

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
ORIGINS: dict[str, Any] = {
    "client": {
        "allow_anonymous_connect_without_token": True,
        "allowed_origins": ["https://*.example.org", "https://*.Upper.org"],
    },
    "init": {"enabled": True},
    "websocket": {"handler_prefix": "/ws/"},
}


class Answer:
    """Status, headers and body."""

    def __init__(self, status: int, headers: Mapping[str, str], body: str) -> None:
        self.status = status
        self.headers = headers
        self.body = body


async def ask(url: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: str = "") -> Answer:
    """Send one request, its path as it is written, without following redirects."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method, URL(url, encoded=True), headers=headers, data=body.encode(), allow_redirects=False
        ) as response,
    ):
        return Answer(response.status, response.headers, await response.text())


async def upgraded(server: Server, origin: str | None, path: str = "/connection/websocket") -> int:
    """Status of a WebSocket upgrade."""
    try:
        headers = {"Origin": origin} if origin is not None else None
        async with opened(server, url=f"ws://127.0.0.1:{server.port}{path}", headers=headers):
            return 101
    except websockets.InvalidStatus as refusal:
        return refusal.response.status_code


@pytest.fixture
def origins(shared_server: StartServer) -> Server:
    return shared_server(ORIGINS)


@pytest.fixture
def plain(shared_server: StartServer) -> Server:
    return shared_server({})


async def test_the_websocket_endpoint_wants_an_upgrade(plain: Server) -> None:  # 02-1
    answer = await ask(f"{plain.url}/connection/websocket")
    assert (answer.status, answer.body) == (400, "Bad Request\n")
    assert answer.headers["Sec-Websocket-Version"] == "13"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=f"02-1-{path}")
        for path in (
            "/connection/sse",
            "/connection/http_stream",
            "/emulation",
            "/connection/uni_sse",
            "/health",
            "/metrics",
            "/connection/init",
            "/connection/websocket/",
            "/",
        )
    ],
)
async def test_what_is_not_enabled_is_not_there(plain: Server, path: str) -> None:
    answer = await ask(f"{plain.url}{path}")
    assert (answer.status, answer.body) == (404, "404 page not found\n")


@pytest.mark.parametrize(
    ("method", "changes", "status"),
    [
        pytest.param("POST", {}, 405, id="02-2-method"),
        pytest.param("GET", {"Sec-WebSocket-Version": "8"}, 400, id="02-2-version"),
        pytest.param("GET", {"Sec-WebSocket-Key": "0123456789"}, 400, id="02-2-d53-key"),
        pytest.param("GET", {"Upgrade": "h2c"}, 400, id="6.2-upgrade"),
        pytest.param("GET", {"Origin": "http://localhost:8000", "Host": "localhost:8000"}, 403, id="02-3-own-origin"),
        pytest.param("OPTIONS", {}, 405, id="6.2-options"),
    ],
)
async def test_upgrades_that_are_refused(plain: Server, method: str, changes: dict[str, str], status: int) -> None:
    answer = await ask(f"{plain.url}/connection/websocket", method, UPGRADE | changes)
    assert answer.status == status
    assert answer.headers["Sec-Websocket-Version"] == "13"


async def test_without_an_origin_everyone_may_connect(plain: Server) -> None:  # 02-3
    assert await upgraded(plain, None) == 101


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        pytest.param("https://A.Example.org", 101, id="02-4-any-case"),
        pytest.param("https://a.b.example.org", 101, id="3.5-several-labels"),
        pytest.param("https://example.org", 403, id="02-4-no-label"),
        pytest.param("http://a.example.org", 403, id="02-4-scheme"),
        pytest.param("https://a.upper.org", 403, id="02-4-a-pattern-in-upper-case"),
        pytest.param(None, 101, id="no-origin"),
    ],
)
async def test_allowed_origins(origins: Server, origin: str | None, status: int) -> None:
    assert await upgraded(origins, origin, "/ws") == status


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/ws", 101, id="02-55-without-the-slash"),
        pytest.param("/ws/", 404, id="02-55-with-it"),
        pytest.param("/connection/websocket", 404, id="02-55-old-path"),
    ],
)
async def test_a_prefix_moves_the_endpoint(origins: Server, path: str, status: int) -> None:
    assert await upgraded(origins, None, path) == status


async def test_init_answers_get_with_cors_headers(origins: Server) -> None:  # 02-50
    url = f"{origins.url}/connection/init"
    answer = await ask(url, headers={"Origin": "https://a.example.org", "Access-Control-Request-Headers": "X-A"})
    assert (answer.status, answer.body) == (200, "{}")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example.org"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers["Access-Control-Allow-Headers"] == "X-A"
    stranger = await ask(url, headers={"Origin": "https://stranger.org"})
    assert stranger.status == 200
    assert "Access-Control-Allow-Origin" not in stranger.headers
    posted = await ask(url, "POST", {"Origin": "https://a.example.org"})
    assert (posted.status, posted.body) == (405, "")
    assert "Access-Control-Allow-Origin" not in posted.headers


async def test_unclean_paths_are_redirected(plain: Server) -> None:  # 02 2.4
    answer = await ask(f"{plain.url}//connection/./websocket?a=1")
    assert answer.status in {301, 307, 308}
    assert answer.headers["Location"] == "/connection/websocket?a=1"


@pytest.mark.parametrize(
    ("config", "on_internal"),
    [
        pytest.param({"health": {"enabled": True}}, True, id="02-45"),
        pytest.param({"health": {"enabled": True}, "http_api": {"external": True}}, False, id="02-46"),
    ],
)
async def test_the_internal_port(private_server: StartServer, config: dict[str, Any], on_internal: bool) -> None:
    internal = free_port()
    server = private_server({**config, "http_server": {"internal_port": str(internal)}})
    external_url, internal_url = server.url, f"http://127.0.0.1:{internal}"

    async def statuses(path: str, method: str = "GET") -> tuple[int, int]:
        headers = {"X-API-Key": API_KEY}
        on_external = await ask(external_url + path, method, headers, "{}")
        return on_external.status, (await ask(internal_url + path, method, headers, "{}")).status

    assert await statuses("/api/info", "POST") == ((404, 200) if on_internal else (200, 404))
    assert await statuses("/health") == (404, 200)
    assert await statuses("/connection/websocket") == (400, 404)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        pytest.param(
            {"client": {"ping_interval": "5s", "pong_timeout": "5s"}},
            "ping_interval must be greater than pong_timeout",
            id="02-44",
        ),
        pytest.param(
            {"client": {"token": {"audience": "a", "audience_regex": "a"}}}, "audience_regex", id="03-9-audience"
        ),
        pytest.param({"client": {"token": {"issuer": "a", "issuer_regex": "a"}}}, "issuer_regex", id="03-9-issuer"),
        pytest.param(
            {
                "client": {"subscribe_to_user_personal_channel": {"enabled": True, "single_connection": True}},
            },
            "presence",
            id="03-32-single-connection-without-presence",
        ),
        pytest.param({"webtransport": {"enabled": True}}, "webtransport", id="02-49"),
        pytest.param({"http_server": {"h2c_external": True}}, "internal_port", id="02-48"),
        pytest.param({"websocket": {"handler_prefix": "ws"}}, "ws", id="2.4-prefix-without-slash"),
        pytest.param({"websocket": {"handler_prefix": "/api"}}, "/api", id="2.4-two-endpoints-at-one-path"),
        pytest.param({"client": {"allowed_origins": ["[a"]}}, "allowed_origins", id="3.5-malformed-pattern"),
    ],
)
def test_a_server_that_cannot_serve_does_not_start(
    private_server: StartServer, config: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(RuntimeError, match="exit status 1") as failure:
        private_server(config)
    assert complaint in str(failure.value)


async def test_a_healthy_server_says_so(private_server: StartServer) -> None:  # 02 2.5
    server = private_server({"health": {"enabled": True}})
    for method in ("GET", "POST"):
        answer = await ask(f"{server.url}/health", method)
        assert (answer.status, answer.body) == (200, "{}")
        assert answer.headers["Content-Type"] == "application/json"


async def test_boundaries_and_prefixes_are_configurable(shared_server: StartServer) -> None:  # 03-43
    options = {"allow_subscribe_for_client": True, "allow_subscribe_for_anonymous": True}
    client = {"allow_anonymous_connect_without_token": True}
    slash = shared_server(
        {
            "client": client,
            "channel": {
                "namespace_boundary": "/",
                "private_prefix": "%",
                "without_namespace": options,
                "namespaces": [{"name": "aa"}],
            },
        }
    )
    async with connected(slash) as one:
        assert await one.error(subscribe={"channel": "aa/b"}) == 103
        assert await one.error(subscribe={"channel": "bb/b"}) == 102
        assert await one.error(subscribe={"channel": "%x"}) == 103
        await one.subscribe("aa:b")
        await one.subscribe("$x")
    defaults = shared_server(
        {
            "client": client,
            "channel": {"namespace_boundary": "", "private_prefix": "", "without_namespace": options},
        }
    )
    async with connected(defaults) as one:
        assert await one.error(subscribe={"channel": "aa:b"}) == 102
        assert await one.error(subscribe={"channel": "$x"}) == 103
        await one.subscribe(":foo")


async def test_the_api_may_have_a_limit_and_looks_at_the_key_first(shared_server: StartServer) -> None:  # 05 Q10
    server = shared_server({"fanjet": {"http_api_max_body_size": 100}})
    body = '{"channel":"a","data":"%s"}'
    fits, too_much = body % ("x" * 75), body % ("x" * 76)
    assert (len(fits), len(too_much)) == (100, 101)
    url, key = f"{server.url}/api/publish", {"X-API-Key": API_KEY}
    assert (await ask(url, "POST", key, fits)).status == 200
    refused = await ask(url, "POST", key, too_much)
    assert (refused.status, refused.body) == (413, "")
    assert (await ask(url, "POST", {"X-API-Key": "wrong"}, too_much)).status == 401
    assert (await ask(url, "PUT", key, too_much)).status == 405


@pytest.mark.parametrize(("key", "begins"), [(API_KEY, b"HTTP/1.1 100 Continue\r\n\r\n"), ("wrong", b"HTTP/1.1 401 ")])
async def test_only_who_has_the_key_is_told_to_send_the_body(plain: Server, key: str, begins: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", plain.port)
    head = (
        f"POST /api/info HTTP/1.1\r\nHost: h\r\nX-API-Key: {key}\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    )
    writer.write(head.encode())
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).startswith(begins)
    if key == API_KEY:
        writer.write(b"{}")
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).startswith(b"HTTP/1.1 200 ")
    writer.close()
