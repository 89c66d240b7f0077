"""The server configuration of all scenarios.

It has the configuration file's format (contract chapter 04).
"""

from importlib.util import find_spec
from typing import Any, Final

from .certificate import CertificatePair

Settings = dict[str, Any]

API_KEY: Final = "bench-api-key"
TOKEN_SECRET: Final = "bench-token-secret"

RECOVERED: Final = "recovered"
"""Namespace with history, positioning and recovery."""

PATCHED: Final = "patched"
"""Namespace with history, recovery and delta compression."""


def backend_port(port: int) -> int:
    """Return the backend's port for a server on `port`.

    The backend's port is below the ephemeral port range.
    """
    return _port_beside(port, 0)


def grpc_api_port(port: int) -> int:
    """Return the port of the gRPC API of a server on `port`."""
    return _port_beside(port, 7_000)


def uni_grpc_port(port: int) -> int:
    """Return the port of the unidirectional gRPC stream of a server on `port`."""
    return _port_beside(port, 14_000)


def _port_beside(port: int, distance: int) -> int:
    return 10_000 + (port + distance) % 20_000


def encrypted_settings(port: int, certificate_pair: CertificatePair) -> Settings:
    """Return `server_settings` with TLS on the port.

    HTTP/3 is included if this installation supports it.
    """
    plain = server_settings(port)
    http3 = {"enabled": find_spec("aioquic") is not None}
    tls = {"enabled": True, "cert_pem": certificate_pair.certificate, "key_pem": certificate_pair.key}
    return {**plain, "http_server": {**plain["http_server"], "tls": tls, "http3": http3}, "webtransport": http3}


def server_settings(port: int) -> Settings:
    """Return the settings of a server on loopback; all others keep their defaults."""
    base = {"allow_subscribe_for_client": True, "allow_publish_for_subscriber": True}
    history = {**base, "history_size": 100, "history_ttl": "300s", "force_recovery": True}
    patched = {**history, "allowed_delta_types": ["fossil"], "delta_publish": True}
    return {
        "http_server": {"address": "127.0.0.1", "port": port},
        "http_api": {"key": API_KEY},
        "grpc_api": {"enabled": True, "address": "127.0.0.1", "port": grpc_api_port(port), "key": API_KEY},
        "uni_grpc": {"enabled": True, "address": "127.0.0.1", "port": uni_grpc_port(port)},
        "client": {
            "token": {"hmac_secret_key": TOKEN_SECRET},
            "proxy": {
                "connect": {
                    "enabled": True,  # not called for connections with a token
                    "endpoint": f"http://127.0.0.1:{backend_port(port)}/connect",
                    "timeout": "10s",
                }
            },
        },
        "http_stream": {"enabled": True},
        "sse": {"enabled": True},
        "uni_websocket": {"enabled": True},
        "uni_http_stream": {"enabled": True},
        "uni_sse": {"enabled": True},
        "rpc": {"ping": {"enabled": True}},
        "channel": {
            "without_namespace": base,
            "namespaces": [{"name": RECOVERED, **history}, {"name": PATCHED, **patched}],
        },
    }
