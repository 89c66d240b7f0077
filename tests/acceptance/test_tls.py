"""TLS on both ports (02 §3.2). Old protocol versions and odd PEM values are tested with the module: `tests/net`."""

from __future__ import annotations

import asyncio
import base64
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import websockets

from tests.support.certificates import Pair, issue
from tests.support.server import API_KEY, free_port
from tests.support.wire_client import opened

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartServer

ANONYMOUS = {"client": {"allow_anonymous_connect_without_token": True}}


@pytest.fixture(scope="module")
def pair() -> Pair:
    return issue()


@pytest.fixture(scope="module")
def client_pair() -> Pair:
    return issue()


def trusting(pair: Pair) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=pair.certificate)
    context.check_hostname = False
    return context


def as_text(pem: str, path: Path) -> str:
    return pem


def as_base64(pem: str, path: Path) -> str:
    return base64.b64encode(pem.encode()).decode()


def as_file(pem: str, path: Path) -> str:
    path.write_text(pem)
    return str(path)


@pytest.mark.parametrize("form", [as_text, as_base64, as_file])
async def test_a_server_with_a_certificate(  # 02-47
    private_server: StartServer, pair: Pair, tmp_path: Path, form: Any
) -> None:
    internal = free_port()
    tls = {
        "enabled": True,
        "cert_pem": form(pair.certificate, tmp_path / "cert.pem"),
        "key_pem": form(pair.key, tmp_path / "key.pem"),
    }
    http_server = {"tls": tls, "tls_external": True, "internal_port": str(internal)}
    server = private_server({**ANONYMOUS, "http_server": http_server})
    url = server.ws_url.replace("ws:", "wss:")
    async with opened(server, url=url, tls=trusting(pair)) as client:
        await client.connect()
    async with (
        aiohttp.ClientSession(headers={"X-API-Key": API_KEY}) as session,
        session.post(f"http://127.0.0.1:{internal}/api/info", json={}) as answer,  # plain
    ):
        assert answer.status == 200


async def test_clients_may_need_a_certificate(  # 02-47
    private_server: StartServer, pair: Pair, client_pair: Pair, tmp_path: Path
) -> None:
    tls = {
        "enabled": True,
        "cert_pem": pair.certificate,
        "key_pem": pair.key,
        "client_ca_pem": client_pair.certificate,
    }
    server = private_server({**ANONYMOUS, "http_server": {"tls": tls}})
    url = server.ws_url.replace("ws:", "wss:")
    with pytest.raises((OSError, websockets.InvalidMessage)):
        async with opened(server, url=url, tls=trusting(pair)):
            pass
    known = trusting(pair)
    both = tmp_path / "client.pem"
    both.write_text(client_pair.certificate + client_pair.key)
    known.load_cert_chain(both)
    async with opened(server, url=url, tls=known) as client:
        await client.connect()


async def test_which_tls_settings_hold_for_the_internal_listener(  # 02 §3.2
    private_server: StartServer, pair: Pair, client_pair: Pair
) -> None:
    outside = {"enabled": True, "cert_pem": pair.certificate, "key_pem": pair.key}
    inside = {"enabled": True, "cert_pem": client_pair.certificate, "key_pem": client_pair.key}

    async def certificate(**settings: Any) -> bytes | None:
        """The one of the internal listener; None when it is plain."""
        port = free_port()
        private_server({"http_server": {"internal_port": str(port), **settings}})
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        except (ssl.SSLError, ConnectionError):
            return None
        writer.transport.abort()
        der = writer.get_extra_info("ssl_object").getpeercert(True)
        return bytes(ssl.DER_cert_to_PEM_cert(der).strip(), "ascii")

    assert await certificate(tls=outside) == pair.certificate.strip().encode()
    assert await certificate(tls=outside, tls_external=True) is None
    own = client_pair.certificate.strip().encode()
    assert await certificate(tls=outside, tls_external=True, internal_tls=inside) == own
    assert await certificate(internal_tls=inside) == own


def test_internal_tls_must_be_usable_even_without_effect(private_server: StartServer, pair: Pair) -> None:
    internal = {"enabled": True, "cert_pem": pair.certificate, "key_pem": "x"}
    with pytest.raises(RuntimeError, match=r"error make TLS config \(for http_server\.internal_tls\)"):
        private_server({"http_server": {"internal_tls": internal}})
