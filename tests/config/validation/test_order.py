"""Every rule of 04 §6.1 to §6.4 by a minimal configuration, and the order in which they are tried."""

import json

import pytest

from fanjet.config import ConfigError, load_config
from fanjet.config.validation import problems, validate

HISTORY = {"history_size": 1, "history_ttl": "1s"}
MAP = {"subscription_type": "map", "map": {"mode": "ephemeral", "key_ttl": "1s"}}
PROXY = {"endpoint": "http://x"}
TRANSFORM = {"status_code": 500, "to_error": {"code": 1}}
MUST_MATCH = "must match ^[-a-zA-Z0-9_.]{2,}$ regular expression"
STREAM_MAP = {"mode": "recoverable", "key_ttl": "1s"}


def without(**options):
    return {"channel": {"without_namespace": options}}


def namespace(name="ns", /, **options):
    return {"channel": {"namespaces": [{"name": name, **options}]}}


def of_map(**options):
    return namespace(**{**MAP, "map": {**MAP["map"], **options}})


def of_stream_map(**options):
    return namespace(subscription_type="map", map={**STREAM_MAP, **options})


def shared_poll(**options):
    return {
        "shared_poll.hmac_secret_key": "s",
        "channel": {
            "proxy": {"shared_poll_refresh": PROXY},
            "namespaces": [{"name": "ns", "subscription_type": "shared_poll", "shared_poll": options}],
        },
    }


def proxy(**options):
    return {"proxies": [{"name": "pp", **PROXY, **options}]}


def transform(**changes):
    return proxy(http={"status_to_code_transforms": [{**TRANSFORM, **changes}]})


def uni(transforms):
    return {"client": {"connect_code_to_unidirectional_disconnect": {"transforms": transforms}}}


def consumer(type_, **options):
    return {"consumers": [{"name": "cc", "type": type_, "enabled": True, type_: options}]}


def personal(**options):
    return {"subscribe_to_user_personal_channel": options}


BAD = {
    "1": ({"http_server.h2c_external": True}, "external_h2c requires custom separate internal_port to be configured"),
    "1-same-port": (
        {"http_server": {"h2c_external": True, "port": 9, "internal_port": 9}},
        "external_h2c requires custom separate internal_port to be configured",
    ),
    "2": (
        {"http_server": {"h2c_external": True, "internal_port": 9, "tls": {"enabled": True}}},
        "external_h2c cannot be used together with enabled TLS for external HTTP server",
    ),
    "3": ({"broker": {"type": "rabbit"}}, "unknown broker: rabbit"),
    "4": (
        {"client.token.user_id_claim": "a-b"},
        "invalid token custom user ID claim: a-b, must match ^[a-zA-Z_]+$ regular expression",
    ),
    "5": (
        {"client.subscription_token.user_id_claim": "1"},
        "invalid subscription token custom user ID claim: 1, must match ^[a-zA-Z_]+$ regular expression",
    ),
    "6": ({"client.proxy.connect.enabled": True}, "in client.proxy.connect: endpoint not set"),
    "7": ({"client.proxy.refresh.enabled": True}, "in client.proxy.refresh: endpoint not set"),
    "8": (
        {"channel.history_meta_ttl": "1500ms"},
        "in channel.history_meta_ttl: malformed duration 1.5s, sub-second precision is not supported for this key",
    ),
    "9": ({"channel.publication_data_format": "xml"}, 'unknown channel.publication_data_format: "xml"'),
    "10-code": (
        uni([{}]),
        "in client.connect_code_to_unidirectional_disconnect: no code specified in transforms[0]",
    ),
    "10-to": (
        uni([{"code": 1, "to": {"code": 2}}, {"code": 1}]),
        "in client.connect_code_to_unidirectional_disconnect: no disconnect code specified in transforms[1].to",
    ),
    "10-reason": (
        uni([{"code": 1, "to": {"code": 2, "reason": "é"}}]),
        "in client.connect_code_to_unidirectional_disconnect: disconnect reason must be ASCII in transforms[0].to",
    ),
    "11": (
        {"proxies": [{"name": "pp", **PROXY}, {"name": "pp", **PROXY}]},
        "duplicate proxy name in channel.named_proxies: pp",
    ),
    "12": ({"proxies": [{"name": "pp"}]}, "in proxy pp: endpoint not set"),
    "12-name": ({"proxies": [{"name": "p", **PROXY}]}, f"in proxy p: invalid proxy name: p, {MUST_MATCH}"),
    "13": ({"proxies": [{"name": "default", **PROXY}]}, "proxy name default is reserved"),
    "14": (
        without(history_size=1),
        "in channel.without_namespace: both history size and history ttl required for history",
    ),
    "15": (
        {"rpc.without_namespace.proxy_name": "no"},
        "in rpc.without_namespace: proxy no not found for rpc",
    ),
    "16": (
        {"client": personal(single_connection=True)},
        "presence must be enabled on top level to maintain single connection",
    ),
    "17": (
        {"channel": {"namespaces": [{"name": "ns"}, {"name": "ns"}]}},
        "namespace name must be unique: ns",
    ),
    "18": (namespace("n"), f"namespace n: invalid namespace name – n ({MUST_MATCH})"),
    "18-newline": (namespace("ns\n"), f"namespace ns\n: invalid namespace name – ns\n ({MUST_MATCH})"),
    "19": (namespace(history_ttl="1s"), "namespace ns: both history size and history ttl required for history"),
    "20": (
        {
            "client": personal(enabled=True, personal_channel_namespace="ns", single_connection=True),
            **namespace(),
        },
        "presence must be enabled for namespace ns to maintain single connection",
    ),
    "21": (
        {"client": personal(enabled=True, personal_channel_namespace="no")},
        "namespace for user personal channel not found: no",
    ),
    "22": (
        {
            "channel": {
                "without_namespace": {"subscription_type": "map_clients", "map": STREAM_MAP},
                "namespaces": [{"name": "ns", "map_clients_presence_channel_prefix": "p"}],
            }
        },
        'namespace ns: map_clients_presence_channel_prefix "p" resolves to namespace "px" which does not exist',
    ),
    "23": ({"rpc": {"namespaces": [{"name": "ns"}, {"name": "ns"}]}}, "rpc namespace name must be unique: ns"),
    "24-name": (
        {"rpc": {"namespaces": [{"name": "n"}]}},
        f"rpc namespace n: invalid rpc namespace name – n ({MUST_MATCH})",
    ),
    "24-proxy": (
        {"rpc": {"namespaces": [{"name": "ns", "proxy_name": "no"}]}},
        "rpc namespace ns: proxy no not found for rpc",
    ),
    "25": (
        {"consumers": [{"name": "a-b"}]},
        "invalid consumer name: a-b, must match ^[a-zA-Z0-9_]{2,}$ regular expression",
    ),
    "26": (
        {"consumers": [{"name": "aa", "type": "kafka"}, {"name": "aa", "type": "kafka"}]},
        "invalid consumer name: aa, must be unique",
    ),
    "27": ({"consumers": [{"name": "aa", "type": "rabbitmq"}]}, "unknown consumer type: rabbitmq"),
    "28": (consumer("kafka"), "in consumer cc (kafka): no Kafka brokers provided"),
    "29-code": (
        {"uni_sse.connect_code_to_http_response.transforms": [{}]},
        "in uni_sse.connect_code_to_http_status.transforms: "
        "code should be set in connect_code_to_http_status.transforms[0]",
    ),
    "29-status": (
        {"uni_sse.connect_code_to_http_response.transforms": [{"code": 1}]},
        "in uni_sse.connect_code_to_http_status.transforms: "
        "status_code should be set in connect_code_to_http_status.transforms[0].to_response",
    ),
    "29-no-final-status": (
        {"uni_sse.connect_code_to_http_response.transforms": [{"code": 1, "to": {"status_code": 99}}]},
        "in uni_sse.connect_code_to_http_status.transforms: "
        "status_code 99 in connect_code_to_http_status.transforms[0].to_response is not the status of a response",
    ),
    "30": (
        {"uni_http_stream.connect_code_to_http_response.transforms": [{}]},
        "in uni_http_stream.connect_code_to_http_status.transforms: "
        "code should be set in connect_code_to_http_status.transforms[0]",
    ),
    "31": ({"map_broker.type": "nats"}, "unknown map broker type: nats"),
    # 6.2
    "proxy-status": (
        transform(status_code=0),
        "in proxy pp: in status_to_code_transforms: status_code should be set in status_to_code_transforms[0]",
    ),
    "proxy-no-code": (
        transform(to_error={}),
        "in proxy pp: in status_to_code_transforms: no error or disconnect code set in status_to_code_transforms[0]",
    ),
    "proxy-both-codes": (
        transform(to_disconnect={"code": 1}),
        "in proxy pp: in status_to_code_transforms: "
        "only error or disconnect code can be set in status_to_code_transforms[0], but not both",
    ),
    "proxy-reason-ascii": (
        transform(to_disconnect={"reason": "é"}),
        "in proxy pp: in status_to_code_transforms: status_to_code_transforms[0] disconnect reason must be ASCII",
    ),
    "proxy-message-ascii": (
        transform(to_error={"code": 1, "message": "é"}),
        "in proxy pp: in status_to_code_transforms: status_to_code_transforms[0] error message must be ASCII",
    ),
    "proxy-message-long": (
        transform(to_error={"code": 1, "message": "x" * 124}),
        "in proxy pp: in status_to_code_transforms: "
        "status_to_code_transforms[0] item error message can be up to 123 characters long",
    ),
    "proxy-reason-long": (
        transform(to_disconnect={"reason": "x" * 124}),
        "in proxy pp: in status_to_code_transforms: "
        "status_to_code_transforms[0] disconnect reason can be up to 123 characters long",
    ),
    # 6.3
    "ttl-seconds": (
        namespace(history_size=1, history_ttl="1500ms"),
        "namespace ns: in history_ttl: malformed duration 1.5s, sub-second precision is not supported for this key",
    ),
    "meta-ttl-seconds": (
        namespace(history_meta_ttl="1ms"),
        "namespace ns: in history_meta_ttl: malformed duration 1ms, sub-second precision is not supported for this key",
    ),
    "meta-ttl": (
        namespace(history_size=1, history_ttl="800h"),
        "namespace ns: history ttl (800h0m0s) can not be greater than history meta ttl (720h0m0s)",
    ),
    "own-meta-ttl": (
        namespace(history_size=1, history_ttl="10s", history_meta_ttl="5s"),
        "namespace ns: history ttl (10s) can not be greater than history meta ttl (5s)",
    ),
    "recovery": (
        namespace(force_recovery=True),
        "namespace ns: both history size and history ttl required for recovery",
    ),
    "auto-cache": (
        namespace(**HISTORY, force_recovery=True, auto_cache_recover=True),
        "namespace ns: auto_cache_recover requires force_recovery and force_recovery_mode set to cache",
    ),
    "stream-proxy": (
        namespace(subscribe_stream_proxy_enabled=True, publish_proxy_enabled=True),
        "namespace ns: can't use subscribe stream proxy together with subscribe, publish or sub refresh proxies",
    ),
    "delta": (namespace(allowed_delta_types=["x"]), 'namespace ns: unknown allowed delta type: "x"'),
    "recovery-mode": (namespace(force_recovery_mode="x"), 'namespace ns: unknown recovery mode: "x"'),
    "data-format": (namespace(publication_data_format="x"), 'namespace ns: unknown publication_data_format: "x"'),
    **{
        f"{key}-name": (
            namespace(**{f"{key}_proxy_name": "no"}),
            f'namespace ns: {kind} proxy with name "no" not found',
        )
        for key, kind in (
            ("subscribe", "subscribe"),
            ("publish", "publish"),
            ("sub_refresh", "sub refresh"),
            ("subscribe_stream", "subscribe stream"),
        )
    },
    **{
        f"{key}-default": (
            namespace(**{f"{key}_proxy_enabled": True}),
            f"namespace ns: in channel.proxy.{key}: endpoint not set",
        )
        for key in ("subscribe", "publish", "sub_refresh", "subscribe_stream")
    },
    **{
        f"map-{key}-name": (
            namespace(map={f"{key}_proxy_name": "no"}),
            f'namespace ns: map {key} proxy with name "no" not found',
        )
        for key in ("publish", "remove")
    },
    **{
        f"map-{key}-default": (
            namespace(map={f"{key}_proxy_enabled": True}),
            f"namespace ns: in channel.proxy.map_{key}: endpoint not set",
        )
        for key in ("publish", "remove")
    },
    "client-key": (
        of_map(client_key="x"),
        'namespace ns: unknown map.client_key: "x" (valid: "client_id", "user_id")',
    ),
    **{
        f"client-key-{key}": (
            {"channel.proxy": {f"map_{key}": PROXY}, **of_map(client_key="user_id", **{f"{key}_proxy_enabled": True})},
            f"namespace ns: map.client_key is not compatible with map.{key}_proxy_enabled: "
            "the proxy is responsible for keying when enabled",
        )
        for key in ("publish", "remove")
    },
    "type": (namespace(subscription_type="x"), 'namespace ns: unknown subscription_type: "x"'),
    "poll-secret": (
        namespace(subscription_type="shared_poll"),
        'namespace ns: shared_poll.hmac_secret_key is required when subscription_type is "shared_poll"',
    ),
    "poll-proxy": (
        shared_poll(proxy_name="no"),
        'namespace ns: shared poll proxy with name "no" not found',
    ),
    "poll-default": (
        {**namespace(subscription_type="shared_poll"), "shared_poll.hmac_secret_key": "s"},
        "namespace ns: in channel.proxy.shared_poll_refresh: endpoint not set",
    ),
    "poll-mode": (shared_poll(mode="x"), 'namespace ns: invalid shared_poll mode: "x"'),
    "poll-publish": (
        shared_poll(publish_enabled=True),
        "namespace ns: shared_poll publish_enabled is incompatible with versionless mode (requires explicit versions)",
    ),
    "map-mode": (
        of_map(mode="x"),
        'namespace ns: unknown map.mode: "x" (valid: "ephemeral", "recoverable", "persistent")',
    ),
    "map-mode-missing": (
        namespace(subscription_type="map"),
        "namespace ns: map.mode is required when subscription_type is a map type",
    ),
    "map-mode-of-a-stream": (
        namespace(map={"mode": "ephemeral"}),
        'namespace ns: map.key_ttl is required when map.mode is "ephemeral"',
    ),
    "map-key-ttl": (
        of_stream_map(key_ttl=0),
        'namespace ns: map.key_ttl is required when map.mode is "recoverable"',
    ),
    "map-key-ttl-negative": (of_map(key_ttl="-1s"), "namespace ns: map.key_ttl must be positive"),
    "map-persistent-ttl": (
        of_map(mode="persistent"),
        'namespace ns: map.key_ttl must not be set when map.mode is "persistent" (entries don\'t expire)',
    ),
    "map-persistent-presence": (
        namespace(subscription_type="map_users", map={"mode": "persistent"}),
        'namespace ns: map.mode "persistent" is not allowed with subscription_type "map_users" '
        '(presence entries require TTL-based cleanup; use "ephemeral" or "recoverable")',
    ),
    **{
        f"map-ephemeral-{key}": (
            of_map(**{key: value}),
            f'namespace ns: map.{key} must be 0 for map.mode "ephemeral"',
        )
        for key, value in (("stream_size", 1), ("stream_ttl", "-1s"), ("meta_ttl", "1s"))
    },
    **{
        f"map-negative-{key}": (of_stream_map(**{key: -1}), f"namespace ns: map.{key} must be non-negative")
        for key in ("stream_size", "stream_ttl", "meta_ttl")
    },
    "map-meta-ttl": (
        of_stream_map(meta_ttl="30s"),
        "namespace ns: map.meta_ttl (30s) must be >= map.stream_ttl (1m0s) (metadata must outlive stream)",
    ),
    "map-remove": (
        namespace(map={"remove_client_on_unsubscribe": True}),
        "namespace ns: map.remove_client_on_unsubscribe requires subscription_type to be a map type",
    ),
    "presence-missing": (
        namespace(map_users_presence_channel_prefix="no:"),
        'namespace ns: map_users_presence_channel_prefix "no:": namespace "no" does not exist',
    ),
    "presence-type": (
        namespace(map_clients_presence_channel_prefix="ns:"),
        'namespace ns: map_clients_presence_channel_prefix "ns:": '
        'target namespace "ns" must have subscription_type="map_clients" (got "")',
    ),
    "presence-without-namespace": (
        without(map_clients_presence_channel_prefix="p"),
        'in channel.without_namespace: map_clients_presence_channel_prefix "p": '
        'target namespace "" must have subscription_type="map_clients" (got "")',
    ),
    **{
        f"page-{key}": (of_map(**{f"{key}_page_size": -1}), f"namespace ns: map.{key}_page_size must not be negative")
        for key in ("min", "max", "default")
    },
    "page-min-max": (
        of_map(min_page_size=5, max_page_size=4),
        "namespace ns: map.min_page_size (5) must not exceed map.max_page_size (4)",
    ),
    "page-default-max": (
        of_map(default_page_size=5, max_page_size=4),
        "namespace ns: map.default_page_size (5) must not exceed map.max_page_size (4)",
    ),
    "page-default-min": (
        of_map(default_page_size=5, min_page_size=6),
        "namespace ns: map.default_page_size (5) must not be below map.min_page_size (6)",
    ),
    # 6.4
    "postgresql": (consumer("postgresql"), "in consumer cc (postgresql): no Postgres DSN provided"),
    "postgresql-table": (
        consumer("postgresql", dsn="x"),
        "in consumer cc (postgresql): no Postgres outbox table name provided",
    ),
    "kafka-topics": (consumer("kafka", brokers=["b"]), "in consumer cc (kafka): no Kafka topics provided"),
    "kafka-group": (
        consumer("kafka", brokers="b", topics="t"),
        "in consumer cc (kafka): no Kafka consumer group provided",
    ),
    "kafka-role": (
        consumer("kafka", brokers="b", topics="t", consumer_group="g", assume_role_arn="r"),
        "in consumer cc (kafka): assume_role_arn requires sasl_mechanism aws-msk-iam",
    ),
    "nats-stream": (consumer("nats_jetstream"), "in consumer cc (nats_jetstream): stream_name is required"),
    "nats-durable": (
        consumer("nats_jetstream", stream_name="s"),
        "in consumer cc (nats_jetstream): durable_consumer_name is required for consumer",
    ),
    "nats-policy": (
        consumer("nats_jetstream", stream_name="s", durable_consumer_name="d", deliver_policy="last"),
        "in consumer cc (nats_jetstream): deliver_policy must be either 'new' or 'all'",
    ),
    "redis-address": (
        consumer("redis_stream", address=[]),
        "in consumer cc (redis_stream): redis address is required",
    ),
    "redis-streams": (consumer("redis_stream"), "in consumer cc (redis_stream): streams can't be empty"),
    "redis-group": (
        consumer("redis_stream", streams=["s"]),
        "in consumer cc (redis_stream): consumer_group is required",
    ),
    "google-project": (consumer("google_pub_sub"), "in consumer cc (google_pub_sub): project_id is required"),
    "google-subscription": (
        consumer("google_pub_sub", project_id="p"),
        "in consumer cc (google_pub_sub): at least one subscription ID is required",
    ),
    "sqs": (consumer("aws_sqs"), "in consumer cc (aws_sqs): at least one queue url is required"),
    "azure-identity": (
        consumer("azure_service_bus", use_azure_identity=True),
        "in consumer cc (azure_service_bus): when using Azure Identity, "
        "fully_qualified_namespace, tenant_id, client_id and client_secret are required",
    ),
    "azure-connection": (
        consumer("azure_service_bus"),
        "in consumer cc (azure_service_bus): connection_string is required when not using Azure Identity",
    ),
    "azure-queue": (
        consumer("azure_service_bus", connection_string="c"),
        "in consumer cc (azure_service_bus): at least one queue path is required",
    ),
    # the first failure wins
    "order": (
        {"broker.type": "x", "map_broker.type": "x", "consumers": [{"name": "x"}]},
        "unknown broker: x",
    ),
    "order-in-options": (
        namespace(subscription_type="x", force_recovery_mode="y"),
        'namespace ns: unknown recovery mode: "y"',
    ),
}

GOOD = {
    "empty": {},
    "user-claim": {"client.token.user_id_claim": "user_id"},
    "disabled-proxy": {"client.proxy.connect.endpoint": ""},
    "personal": {
        "client": personal(enabled=True, personal_channel_namespace="ns", single_connection=True),
        **namespace(presence=True),
    },
    "history": namespace(history_size=1, history_ttl="720h"),
    "cache": namespace(**HISTORY, force_recovery=True, force_recovery_mode="cache", auto_cache_recover=True),
    "disabled-consumer": {"consumers": [{"name": "aa", "type": "kafka"}]},
    "map": of_map(),
    "map-persistent": namespace(subscription_type="map", map={"mode": "persistent"}),
    "shared-poll": shared_poll(mode="versioned", publish_enabled=True),
    "existing-nats-consumer": consumer(
        "nats_jetstream", stream_name="s", durable_consumer_name="d", use_existing_consumer=True, deliver_policy="x"
    ),
    "regex": namespace(channel_regex=r"^\pL[[:alpha:]]\z"),
    "h2c": {"http_server": {"h2c_external": True, "internal_port": 9000}},
    "engine-type-is-checked-at-start": {"engine.type": "rabbit"},
    "ping-is-checked-at-start": {"client": {"ping_interval": "5s", "pong_timeout": "8s"}},
}


def load(tmp_path, content, env=None):
    file = tmp_path / "c.json"
    file.write_text(json.dumps(content))
    return load_config(str(file), env or {}).config


@pytest.mark.parametrize(("content", "message"), [pytest.param(*case, id=name) for name, case in BAD.items()])
def test_a_bad_configuration_is_refused_with_the_message_of_its_rule(tmp_path, content, message):
    with pytest.raises(ConfigError) as error:
        validate(load(tmp_path, content))
    assert str(error.value) == message


@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content in GOOD.items()])
def test_a_good_configuration_passes(tmp_path, content):
    assert list(problems(load(tmp_path, content))) == []


@pytest.mark.parametrize(
    "regex",
    [r"(a)\1", r"(?=a)", r"(?<!a)b", "a++", "(?>a)", "(?(1)a)", "(?#x)", "a{1001}", "(", "[z-a]", r"a\C"],
)
def test_a_channel_regex_is_re2_and_nothing_else(tmp_path, regex):
    (problem,) = problems(load(tmp_path, namespace(channel_regex=regex)))
    assert problem.startswith(f"namespace ns: invalid channel regex {regex}: ")


def test_a_zero_timeout_is_reachable_through_the_environment_only(tmp_path):
    content = {"client.proxy.connect": {"enabled": True, "endpoint": "http://x", "timeout": 0}}
    assert list(problems(load(tmp_path, content))) == []
    env = {"CENTRIFUGO_CLIENT_PROXY_CONNECT_TIMEOUT": "0s"}
    assert list(problems(load(tmp_path, content, env))) == ["in client.proxy.connect: timeout not set"]


def test_a_namespace_from_file_and_environment_must_be_unique(tmp_path):
    env = {"CENTRIFUGO_CHANNEL_NAMESPACES": "ns"}
    assert list(problems(load(tmp_path, namespace(), env))) == ["namespace name must be unique: ns"]
