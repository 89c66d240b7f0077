"""Connections to gRPC backends (06 §1.1, §4.2)."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import grpc
import grpc.aio

from fanjet.net.tls import client_context, resolve_pem

from .grpc_trust import fetch_certificate

if TYPE_CHECKING:
    from fanjet.config.tree.proxy import Proxy
    from fanjet.config.tree.tls import Tls

    from .grpc_trust import ServerCertificate

_SCHEME: Final = "grpc://"
_OPTIONS: Final[tuple[tuple[str, Any], ...]] = (
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),  # otherwise channels to one address share a connection and its failures
)


class GrpcChannel:
    """Opens the gRPC channel of one proxy on first use."""

    def __init__(self, config: Proxy) -> None:
        """Raises `TLSError` for TLS settings that cannot be used."""
        self._target = target_of(config.endpoint)
        self._compression = grpc.Compression.Gzip if config.grpc.compression else None
        self._tls = config.grpc.tls if config.grpc.tls.enabled else None
        self._pems = None if self._tls is None else _load_pems(self._tls)
        self._channel: grpc.aio.Channel | None = None

    async def get(self) -> grpc.aio.Channel:
        """Return the channel, which connects with the first call.

        Must run in a task. Raises `BackendFailed`.
        """
        if self._channel is None:
            certificate = None
            if self._tls is not None and self._tls.insecure_skip_verify:
                certificate = await fetch_certificate(self._target)
            self._channel = self._channel or self._open(certificate)
        return self._channel

    async def invalidate(self) -> None:
        """Drop the channel of an unreachable server if TLS verification is off.

        The server may have a new certificate by the next call.
        """
        if self._channel is not None and self._tls is not None and self._tls.insecure_skip_verify:
            channel, self._channel = self._channel, None
            await channel.close()

    async def close(self) -> None:
        """Close the connection."""
        if self._channel is not None:
            await self._channel.close()

    def _open(self, certificate: ServerCertificate | None) -> grpc.aio.Channel:
        if self._tls is None:
            return grpc.aio.insecure_channel(self._target, _OPTIONS, self._compression)
        authorities, key, chain = self._pems or (None, None, None)
        name = self._tls.server_name
        if certificate is not None:
            authorities, name = certificate
        options = (*_OPTIONS, ("grpc.ssl_target_name_override", name)) if name else _OPTIONS
        credentials = grpc.ssl_channel_credentials(authorities, key, chain)
        return grpc.aio.secure_channel(self._target, credentials, options, self._compression)


def target_of(endpoint: str) -> str:
    """Return the target for the gRPC library."""
    return urlsplit(endpoint).netloc if endpoint.startswith(_SCHEME) else endpoint


def _load_pems(tls: Tls) -> tuple[bytes | None, bytes | None, bytes | None]:
    """Load authorities, key and certificate chain; None if not set.

    Raises `TLSError`.
    """
    client_context(tls, "proxy_grpc")  # the library reports invalid settings only with the first call
    with_key = tls.cert_pem and tls.key_pem
    return (
        resolve_pem(tls.server_ca_pem).encode() if tls.server_ca_pem else _system_authorities(),
        resolve_pem(tls.key_pem).encode() if with_key else None,
        resolve_pem(tls.cert_pem).encode() if with_key else None,
    )


def _system_authorities() -> bytes | None:
    """Load the authorities of other TLS connections; None: the library's default."""
    file = ssl.get_default_verify_paths().cafile
    return Path(file).read_bytes() if file else None
