"""Configurations whose proxies ask the backend of the tests."""

from __future__ import annotations

from typing import Any

from tests.support.server import merge

TIMEOUT = 1.0
"""Seconds that a backend has to answer."""
ANYONE = {"allow_subscribe_for_client": True, "allow_subscribe_for_anonymous": True}
STREAM = {"history_size": 10, "history_ttl": "300s"}


def proxy(endpoint: str, **options: Any) -> dict[str, Any]:
    """A proxy object."""
    return {"endpoint": endpoint, "timeout": f"{TIMEOUT}s", **options}


def proxied(base: str, over: dict[str, Any] | None = None) -> dict[str, Any]:
    """Proxies for every event but refresh. `base` with the event's name behind it is the endpoint, unless it is the
    address of a gRPC server."""

    def at(event: str, **options: Any) -> dict[str, Any]:
        return proxy(f"{base}/{event}" if base.startswith("http") else base, **options)

    config: dict[str, Any] = {
        "client": {
            "proxy": {"connect": {"enabled": True, **at("connect")}},
            "presence_update_interval": "400ms",
            "expired_sub_close_delay": "200ms",
        },
        "channel": {
            "proxy": {"subscribe": at("subscribe"), "publish": at("publish"), "sub_refresh": at("sub_refresh")},
            "namespaces": [
                {
                    "name": "asked",
                    "subscribe_proxy_enabled": True,
                    "allow_user_limited_channels": True,
                    "allow_presence_for_subscriber": True,
                    "allow_presence_for_anonymous": True,
                    "presence": True,
                    "allow_recovery": True,
                    **STREAM,
                },
                {
                    "name": "pub",
                    "publish_proxy_enabled": True,
                    "publication_data_format": "json_object",
                    **ANYONE,
                    **STREAM,
                },
                {"name": "any", "publish_proxy_enabled": True, **ANYONE},
                {
                    "name": "brief",
                    "subscribe_proxy_enabled": True,
                    "sub_refresh_proxy_enabled": True,
                    "presence": True,
                },
                {"name": "own", "subscribe_proxy_enabled": True},
                {"name": "open", "presence": True, "allow_presence_for_subscriber": True, **ANYONE},
                {"name": "cache", "force_recovery": True, "force_recovery_mode": "cache", **ANYONE, **STREAM},
            ],
        },
        "rpc": {
            "proxy": at("rpc", include_connection_meta=True),
            "without_namespace": {"proxy_enabled": True},
            "namespaces": [{"name": "off"}, {"name": "on", "proxy_enabled": True}],
        },
    }
    return merge(config, over or {})
