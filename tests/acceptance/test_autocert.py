"""Certificates from pebble, the test authority of Let's Encrypt (02 §3.2).

What authorities do only when they fail is tested against one of our own: `tests/net/acme`.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from cryptography import x509

from tests.acceptance.launching import Launcher, logged
from tests.support import pebble
from tests.support.server import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.server import Server

HOST = "chat.example.org"

needs_pebble = pytest.mark.skipif(pebble.find() is None, reason="pebble can be had neither here nor from Debian")


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launcher]:
    launcher = Launcher(tmp_path)
    yield launcher
    launcher.stop_all()


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Callable[..., pebble.Pebble]]:
    running: list[pebble.Pebble] = []

    def start(**options: Any) -> pebble.Pebble:
        folder = tmp_path / "pebble"
        folder.mkdir()
        running.append(pebble.Pebble(folder, **options))
        return running[-1]

    yield start
    for each in running:
        each.stop()


def settings(authority: pebble.Pebble, port: int, **autocert: Any) -> dict[str, Any]:
    return {
        "http_server": {"port": port, "tls_autocert": {"enabled": True, "host_whitelist": [HOST], **autocert}},
        "fanjet": {"acme_directory_url": authority.directory, "acme_ca_pem": authority.ca},
    }


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def issuer_seen(port: int) -> tuple[str, bytes]:
    """Call the server over TLS; return issuer and all of its certificate.

    Who has waited ten seconds for a certificate is sent away and comes again, which happens on busy machines.
    """
    for attempt in range(3):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=unverified(), server_hostname=HOST)
            break
        except ConnectionResetError:
            if attempt == 2:
                raise
    der = writer.get_extra_info("ssl_object").getpeercert(True)
    writer.write(f"GET /nothing HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    assert (await reader.readline()) == b"HTTP/1.1 404 Not Found\r\n"
    writer.transport.abort()
    return x509.load_der_x509_certificate(der).issuer.rfc4514_string(), der


@needs_pebble
async def test_a_certificate_is_got_at_the_first_handshake_and_kept(  # 02 §3.2
    launch: Launcher, authority: Callable[..., pebble.Pebble], tmp_path: Path
) -> None:
    port = free_port()
    issuing = authority(tls_port=port, http_port=1)
    config = settings(issuing, port, cache_dir=str(tmp_path / "cache"), email="a@example.org")
    server = launch(config)
    issuer, first = await issuer_seen(port)
    assert "Pebble Intermediate CA" in issuer
    server.restart()
    assert await issuer_seen(port) == (issuer, first)


@needs_pebble
async def test_the_authority_may_come_by_http(launch: Launcher, authority: Callable[..., pebble.Pebble]) -> None:
    port, http_port = free_port(), free_port()
    issuing = authority(tls_port=1, http_port=http_port)
    server = launch(settings(issuing, port, http=True, http_addr=f"127.0.0.1:{http_port}"))
    await logged(server, f"serving ACME http_01 challenge on 127.0.0.1:{http_port}")
    issuer, _ = await issuer_seen(port)
    assert "Pebble Intermediate CA" in issuer
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{http_port}/x?y", allow_redirects=False) as answer,
    ):
        assert (answer.status, answer.headers["Location"]) == (302, "https://127.0.0.1:443/x?y")


def refusal(launch: Launcher, config: dict[str, Any]) -> str:
    with pytest.raises(RuntimeError) as caught:
        launch(config)
    return str(caught.value)


def autocert(**settings: Any) -> dict[str, Any]:
    return {"http_server": {"tls_autocert": {"enabled": True, **settings}}}


def test_what_cannot_work_keeps_the_server_from_starting(launch: Launcher, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "http_server.tls_autocert.cache_dir: " in refusal(launch, autocert(cache_dir=str(tmp_path / "file")))
    assert "must be host:port" in refusal(launch, autocert(http=True, http_addr="localhost"))
    taken: Server = launch({})
    assert "bind: Address already in use" in refusal(launch, autocert(http=True, http_addr=f"127.0.0.1:{taken.port}"))
    config = autocert() | {"fanjet": {"acme_ca_pem": "nothing"}}
    assert "error make TLS config (for fanjet.acme_ca_pem)" in refusal(launch, config)
    http3 = autocert() | {"enable_unreleased_features": True}
    http3["http_server"]["http3"] = {"enabled": True}
    assert "can not use HTTP/3 with autocert" in refusal(launch, http3)
