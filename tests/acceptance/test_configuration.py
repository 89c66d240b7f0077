"""Keys whose effect shows only on a running server (04 §1, §9, §10)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import ssl
import warnings as python_warnings
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.launching import Launcher, logged, warnings
from tests.acceptance.test_http_surface import ask, upgraded
from tests.support.certificates import Pair, issue
from tests.support.server import API_KEY, free_port
from tests.support.waiting import until
from tests.support.wire_client import connected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import StartServer
    from tests.support.server import Server

ANONYMOUS: dict[str, Any] = {"client": {"allow_anonymous_connect_without_token": True}}


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launcher]:
    launcher = Launcher(tmp_path)
    yield launcher
    launcher.stop_all()


async def test_a_dotted_key_counts_like_a_nested_one(launch: Launcher) -> None:  # 04-8
    server = launch({"client.insecure": True})
    await logged(server, "INSECURE client mode enabled")
    async with connected(server) as client:
        await client.subscribe("news")
    assert await asyncio.to_thread(server.stop) == 0
    assert not [message for message in warnings(server) if "unknown" in message]


@pytest.mark.parametrize(
    ("config", "flags", "variables"),
    [
        pytest.param({"health": {"enabled": True}}, [], {}, id="file"),
        pytest.param({}, ["--health.enabled"], {}, id="flag"),
        pytest.param({}, [], {"CENTRIFUGO_HEALTH_ENABLED": "true"}, id="environment"),
        pytest.param(
            {}, [], {"FANJET_HEALTH_ENABLED": "true", "CENTRIFUGO_HEALTH_ENABLED": "false"}, id="own-prefix-wins"
        ),
        pytest.param({}, ["--health.enabled"], {"FANJET_HEALTH_ENABLED": "false"}, id="flag-over-environment"),
    ],
)
async def test_every_source_reaches_the_server(  # 04-2, 04-3, 04-46
    launch: Launcher, config: dict[str, Any], flags: list[str], variables: dict[str, str]
) -> None:
    server = launch(config, *flags, **variables)
    answer = await ask(f"{server.url}/health")
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, "{}", "application/json")  # 04-29


STATIC_HEADERS = {
    "client": {"proxy": {"connect": {"http": {"static_headers": {"Authorization": "Bearer ${CENTRIFUGO_VAR_TOK}"}}}}}
}


def test_a_header_may_take_its_value_from_a_variable(launch: Launcher) -> None:  # 04-15
    with pytest.raises(RuntimeError, match="exit status 1") as failure:
        launch(STATIC_HEADERS)
    assert 'environment variable \\"CENTRIFUGO_VAR_TOK\\" not found' in str(failure.value)
    server = launch(STATIC_HEADERS, CENTRIFUGO_VAR_TOK="secret")
    assert server.stop() == 0
    assert warnings(server) == []
    assert "secret" not in server.log


EXTERNAL = ("/connection/websocket", "/connection/init")
INTERNAL = ("/health",)


@pytest.mark.parametrize("is_api_external", [pytest.param(False, id="04-28"), pytest.param(True, id="04-28-external")])
async def test_what_is_for_clients_and_what_is_for_operators(launch: Launcher, is_api_external: bool) -> None:
    internal = free_port()
    server = launch(
        {
            **ANONYMOUS,
            "http_server": {"internal_port": str(internal)},
            "http_api": {"external": is_api_external},
            "health": {"enabled": True},
            "init": {"enabled": True},
        }
    )
    internal_url = f"http://127.0.0.1:{internal}"

    async def there(url: str) -> set[str]:
        gets = {path for path in (*EXTERNAL, *INTERNAL, "/") if (await ask(url + path)).status != 404}
        api = await ask(f"{url}/api/info", "POST", {"X-API-Key": API_KEY}, "{}")
        return gets | ({"/api"} if api.status == 200 else set())

    api = {"/api"}
    assert await there(server.url) == {*EXTERNAL, *(api if is_api_external else ())}
    assert await there(internal_url) == {*INTERNAL, *(() if is_api_external else api)}
    assert await upgraded(server, None) == 101


async def test_a_handler_prefix_moves_an_endpoint(launch: Launcher) -> None:  # 04-29, 04-30
    server = launch(
        {
            **ANONYMOUS,
            "websocket": {"handler_prefix": "/ws/"},
            "init": {"enabled": True, "handler_prefix": "/start"},
            "http_api": {"handler_prefix": "/admin-api"},
        }
    )
    assert await upgraded(server, None, "/ws") == 101
    assert (await ask(f"{server.url}/connection/websocket")).status == 404
    started = await ask(f"{server.url}/start")
    assert (started.status, started.body) == (200, "{}")
    assert (await ask(f"{server.url}/start", "POST")).status == 405
    assert (await ask(f"{server.url}/admin-api/info", "POST", {"X-API-Key": API_KEY}, "{}")).status == 200


@pytest.mark.parametrize(
    ("patterns", "origin", "status"),
    [
        pytest.param([], None, 101, id="empty-without-origin"),
        pytest.param([], "https://x.example", 403, id="empty"),
        pytest.param(["https://*.example"], "https://x.example", 101, id="match"),
        pytest.param(["https://*.example"], "https://X.Example", 101, id="any-case"),
        pytest.param(["https://*.example"], "https://x.example.org", 403, id="longer"),
        pytest.param(["*"], "null", 101, id="all"),
    ],
)
async def test_allowed_origins(  # 04-41
    shared_server: StartServer, patterns: list[str], origin: str | None, status: int
) -> None:
    assert await upgraded(shared_server({"client": {"allowed_origins": patterns}}), origin) == status


async def test_one_connected_client_may_be_the_limit(launch: Launcher) -> None:  # 04-40
    server = launch({"client": {"allow_anonymous_connect_without_token": True, "connection_limit": 1}})
    async with connected(server):
        assert await upgraded(server, None) == 503
    await logged(server, "node connection limit reached")

    async def admitted() -> bool:
        return await upgraded(server, None) == 101

    await until(admitted)


@pytest.fixture(scope="module")
def pair() -> Pair:
    return issue()


def speaking(version: ssl.TLSVersion) -> ssl.SSLContext:
    """A client that speaks one version of TLS and would accept any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with python_warnings.catch_warnings(action="ignore"):  # one of them is as old as that
        context.minimum_version = version
        context.maximum_version = version
    return context


@pytest.mark.parametrize("form", ["text", "base64", "file"])
def test_a_certificate_may_be_given_in_three_forms(  # 04-31
    launch: Launcher, pair: Pair, tmp_path: Path, form: str
) -> None:
    def written(pem: str, name: str) -> str:
        if form == "file":
            (tmp_path / name).write_text(pem)
            return str(tmp_path / name)
        return pem if form == "text" else base64.b64encode(pem.encode()).decode()

    tls = {"enabled": True, "cert_pem": written(pair.certificate, "c.pem"), "key_pem": written(pair.key, "k.pem")}
    server = launch({"http_server": {"tls": tls}})
    served = ssl.get_server_certificate(("127.0.0.1", server.port))
    assert fingerprint(served) == fingerprint(pair.certificate)
    shake_hands(server, speaking(ssl.TLSVersion.TLSv1_2))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        shake_hands(server, speaking(ssl.TLSVersion.TLSv1_1))


def fingerprint(pem: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def shake_hands(server: Server, context: ssl.SSLContext) -> None:
    with (
        socket.create_connection(("127.0.0.1", server.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost"),
    ):
        pass


@pytest.mark.parametrize(
    ("tls", "complaint"),
    [
        pytest.param({"enabled": True}, "http_server.tls", id="no-certificate"),
        pytest.param({"enabled": True, "cert_pem": "nothing", "key_pem": "nothing"}, "invalid PEM data", id="no-pem"),
    ],
)
def test_tls_that_cannot_work_keeps_the_server_down(launch: Launcher, tls: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RuntimeError, match="exit status 1") as failure:  # 04 10
        launch({"http_server": {"tls": tls}})
    assert complaint in str(failure.value)
