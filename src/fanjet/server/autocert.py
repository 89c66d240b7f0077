"""Certificates by ACME for `http_server.tls_autocert` (02 §3.2).

Imported only where that is enabled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fanjet.net.acme.authority import Authority
from fanjet.net.acme.certificates import Certificates
from fanjet.net.acme.hosts import HostPolicy
from fanjet.net.acme.http_challenges import HttpChallenges
from fanjet.net.acme.store import Store
from fanjet.net.binding import BindError
from fanjet.net.http_detection import MultiVersionServer
from fanjet.net.listener import Listener
from fanjet.net.tls import TLSError, client_context
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from fanjet.config import Config
    from fanjet.net.socket_provider import SocketProvider
    from fanjet.net.timing_wheel import TimingWheel

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _AuthorityTLS:
    """TLS settings for the connection to the certificate authority."""

    server_ca_pem: str
    cert_pem: str = ""
    key_pem: str = ""
    insecure_skip_verify: bool = False


def open_certificates(config: Config) -> Certificates:
    """The certificates of all TLS listeners. Raises `TLSError`."""
    settings = config.http_server.tls_autocert
    ca = config.fanjet.acme_ca_pem
    trust = client_context(_AuthorityTLS(ca), "fanjet.acme_ca_pem") if ca else None
    try:
        return Certificates(
            Authority(config.fanjet.acme_directory_url, settings.email, trust),
            HostPolicy(settings.host_whitelist),
            Store(settings.cache_dir),
            default_name=settings.server_name,
            answers_http=settings.http,
        )
    except (OSError, ValueError) as error:
        raise TLSError(f"http_server.tls_autocert.cache_dir: {error}") from error


def challenge_listener(
    config: Config, certificates: Certificates, wheel: TimingWheel, addresses: SocketProvider
) -> Listener:
    """The plain HTTP server of http-01 challenges. Raises `BindError`."""
    where = config.http_server.tls_autocert.http_addr
    host, _, port = where.rpartition(":")
    if not port.isdecimal():
        raise BindError(f'http_server.tls_autocert.http_addr: "{where}" must be host:port')
    bound = addresses.tcp("acme", host.strip("[]"), int(port))
    log.info(f"serving ACME http_01 challenge on {where}")
    return Listener(MultiVersionServer(HttpChallenges(certificates), wheel), bound.sockets)
