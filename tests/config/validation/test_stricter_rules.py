"""Refusals beyond the reference (04 §6.6): each names key, value and reason."""

import pytest

from fanjet.config import Config
from fanjet.config.validation import problems


def namespace(name="ns", /, **options):
    return {"channel": {"namespaces": [{"name": name, **options}]}}


RECOVERABLE = {"mode": "recoverable", "key_ttl": 300.0}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(
            {"rpc": {"without_namespace": {"proxy_enabled": True}}}, "in rpc.proxy: endpoint not set", id="rpc-proxy"
        ),
        pytest.param(
            {"rpc": {"namespaces": [{"name": "ns", "proxy_enabled": True}]}},
            "in rpc.proxy: endpoint not set",
            id="rpc-proxy-of-a-namespace",
        ),
        pytest.param(
            namespace(subscription_type="map", map={**RECOVERABLE, "meta_ttl": 100.0}),
            "namespace ns: map.meta_ttl (1m40s) must be >= map.key_ttl (5m0s) (metadata must outlive entries)",
            id="map-meta-ttl",
        ),
        pytest.param(
            namespace(subscription_type="map", map={"mode": "persistent", "meta_ttl": 100.0}),
            'namespace ns: map.meta_ttl (1m40s) must not be set when map.mode is "persistent" (nothing expires)',
            id="map-meta-ttl-persistent",
        ),
        pytest.param(
            {"map_broker": {"type": "redis"}, **namespace("order", subscription_type="map", map=RECOVERABLE)},
            "namespace order: name is reserved for namespaces of a map type with the Redis map broker",
            id="reserved-name",
        ),
        pytest.param(
            {"map_broker": {"type": "postgres", "postgres": {"table_prefix": "Shop-1"}}},
            'map_broker.postgres.table_prefix: "Shop-1" must match ^[a-z_][a-z0-9_]*$ and have at most 30 characters',
            id="table-prefix",
        ),
        pytest.param(
            {"broker": {"enabled": True, "type": "postgres", "postgres": {"table_prefix": "x" * 31}}},
            f'broker.postgres.table_prefix: "{"x" * 31}" must match ^[a-z_][a-z0-9_]*$ and have at most 30 characters',
            id="table-prefix-length",
        ),
        pytest.param(
            {
                "map_broker": {"type": "postgres", "postgres": {"partition_retention_days": 1}},
                **namespace(subscription_type="map", map={**RECOVERABLE, "stream_ttl": 90000.0}),
            },
            "namespace ns: map.stream_ttl (25h0m0s) must not exceed map_broker.postgres.partition_retention_days (1)",
            id="stream-retention",
        ),
        pytest.param(
            {"health": {"enabled": True, "handler_prefix": "/api/"}},
            'health.handler_prefix: path "/api" is already used by http_api.handler_prefix',
            id="same-path",
        ),
        pytest.param(
            {"websocket": {"handler_prefix": "ws"}},
            'websocket.handler_prefix: "ws" must start with /',
            id="no-slash",
        ),
        pytest.param(
            {"fanjet": {"acme_directory_url": "acme.example"}},
            'fanjet.acme_directory_url: "acme.example" must be an address that begins with https://',
            id="acme-directory",
        ),
        pytest.param(
            {"fanjet": {"http_unix_socket_mode": "660"}},
            'fanjet.http_unix_socket_mode: "660" must be octal, in quotes: "0660"',
            id="socket-mode",
        ),
        pytest.param({"fanjet": {"workers": 0}}, "fanjet.workers: 0 must be at least 1", id="workers"),
        pytest.param(
            {"fanjet": {"http_api_max_body_size": -1}},
            "fanjet.http_api_max_body_size: -1 must not be negative",
            id="body-size",
        ),
        pytest.param(
            {"opentelemetry": {"resource_detectors": ["gcp", "azure"]}},
            'opentelemetry.resource_detectors: "azure" is none of gcp, aws',
            id="resource-detector",
        ),
        pytest.param(
            {"fanjet": {"metrics_namespace": "a-b"}},
            'fanjet.metrics_namespace: "a-b" must match ^[a-zA-Z_:][a-zA-Z0-9_:]*$',
            id="metrics-namespace",
        ),
    ],
)
def test_unusable_settings_are_refused(content, expected):
    assert list(problems(Config.model_validate(content))) == [expected]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"rpc": {"namespaces": [{"name": "ns", "proxy_name": "default"}]}}, id="rpc-proxy-off"),
        pytest.param(namespace("meta", subscription_type="map", map=RECOVERABLE), id="reserved-name-in-memory"),
        pytest.param({"map_broker": {"type": "redis"}, **namespace("meta")}, id="reserved-name-of-a-stream"),
        pytest.param({"broker": {"postgres": {"table_prefix": "Shop-1"}}}, id="table-prefix-unused"),
        pytest.param({"health": {"handler_prefix": "/api"}}, id="same-path-disabled"),
        pytest.param(
            {
                "health": {"enabled": True, "handler_prefix": "/connection/websocket"},
                "http_server": {"internal_port": "9"},
            },
            id="same-path-on-another-listener",
        ),
        pytest.param({"admin": {"enabled": True}}, id="admin-at-the-root"),
    ],
)
def test_what_works_is_accepted(content):
    assert list(problems(Config.model_validate(content))) == []
