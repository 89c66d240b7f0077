"""WebTransport: not available is not a failure, a refused connection is."""

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from fanjet.bench.certificate import CertificatePair, issue
from fanjet.bench.clients.client import Address, hello, open_client
from fanjet.bench.clients.transports import WEBTRANSPORT
from fanjet.bench.errors import BenchError, NotAvailable


async def test_without_the_extra_it_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fanjet.bench.clients.webtransport", None)
    with pytest.raises(NotAvailable, match=r"needs the extra fanjet\[http3\]"):
        await open_client(("127.0.0.1", 1), hello("token"), transport_spec=WEBTRANSPORT, certificate=issue())


@asynccontextmanager
async def quic_server(certificate_pair: CertificatePair, protocol: str) -> AsyncIterator[Address]:
    """A QUIC server that negotiates only `protocol`, without implementing it."""
    aioquic = pytest.importorskip("aioquic.asyncio.server", reason="the extra fanjet[http3] is not installed")
    configurations = pytest.importorskip("aioquic.quic.configuration")
    configuration = configurations.QuicConfiguration(is_client=False, alpn_protocols=[protocol])
    configuration.certificate = load_pem_x509_certificate(certificate_pair.certificate.encode())
    configuration.private_key = load_pem_private_key(certificate_pair.key.encode(), None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    server = await aioquic.serve("127.0.0.1", port, configuration=configuration)
    try:
        yield "127.0.0.1", port
    finally:
        server.close()


async def test_a_server_without_http3_is_not_available() -> None:
    certificate_pair = issue()
    async with quic_server(certificate_pair, "other") as address:
        with pytest.raises(NotAvailable, match="agrees on no HTTP/3"):
            await open_client(address, hello("token"), transport_spec=WEBTRANSPORT, certificate=certificate_pair)


async def test_a_server_with_another_certificate_is_a_failure() -> None:
    async with quic_server(issue(), "h3") as address:
        with pytest.raises(BenchError, match="QUIC connection closed") as failure:
            await open_client(address, hello("token"), transport_spec=WEBTRANSPORT, certificate=issue())
    assert not isinstance(failure.value, NotAvailable)
