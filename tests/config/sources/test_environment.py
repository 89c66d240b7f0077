"""Environment variables (04 §1.5)."""

import pytest

from fanjet.config import Config, ConfigError, load_config


def load(**variables: str) -> Config:
    return load_config(env=variables).config


@pytest.mark.parametrize("prefix", ["FANJET", "CENTRIFUGO"])
def test_both_prefixes_set_a_key(prefix):
    assert load(**{f"{prefix}_HTTP_SERVER_PORT": "8111"}).http_server.port == 8111


def test_the_own_prefix_wins_unless_it_is_empty():
    assert load(FANJET_HTTP_SERVER_PORT="8111", CENTRIFUGO_HTTP_SERVER_PORT="8112").http_server.port == 8111
    assert load(FANJET_HTTP_SERVER_PORT="", CENTRIFUGO_HTTP_SERVER_PORT="8112").http_server.port == 8112


def test_the_own_object_has_no_fallback():
    assert load(FANJET_WORKERS="3").fanjet.workers == 3
    loaded = load_config(env={"CENTRIFUGO_WORKERS": "3"})
    assert loaded.config.fanjet.workers == 1
    assert loaded.unknown_vars == ("CENTRIFUGO_WORKERS",)


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        pytest.param(
            "ADMIN_ENABLED",
            "yes",
            "assigning CENTRIFUGO_ADMIN_ENABLED to ENABLED: converting 'yes' to type bool",
            id="bool",
        ),
        pytest.param("CLIENT_PING_INTERVAL", "30", "missing unit", id="duration"),
        pytest.param("CLIENT_CHANNEL_LIMIT", "x", "to type int. details", id="int"),
        pytest.param("CLIENT_CHANNEL_LIMIT", str(2**63), "value out of range", id="int-range"),
        pytest.param("CLIENT_PING_INTERVAL", "true", 'invalid duration "true"', id="duration-bool"),
        pytest.param("CLIENT_CHANNEL_LIMIT", "true", '"true" is not an integer', id="int-bool"),
        pytest.param(
            "CHANNEL_NAMESPACES",
            '[{"name":"aa","history_size":"3"}]',
            r'CENTRIFUGO_CHANNEL_NAMESPACES .*: \[0\].history_size: cannot use "3" as int: expected an integer',
            id="json",
        ),
        pytest.param(
            "CHANNEL_NAMESPACES",
            f'[{{"name":"aa","history_size":{2**63}}}]',
            rf"\[0\].history_size: cannot use {2**63} as int: value out of range",
            id="json-int-range",
        ),
        pytest.param(
            "CHANNEL_NAMESPACES",
            '[{"name":"aa","history_ttl":true}]',
            r"\[0\].history_ttl: cannot use true as duration",
            id="json-duration-bool",
        ),
        pytest.param("CHANNEL_NAMESPACES", "[1]", r"\[0\]: expected an object, got number", id="json-item"),
        pytest.param("CHANNEL_NAMESPACES", "[}]", "CENTRIFUGO_CHANNEL_NAMESPACES .*: Expecting value", id="not-json"),
        pytest.param("CLIENT_CONNECT_CODE_TO_UNIDIRECTIONAL_DISCONNECT_TRANSFORMS", "[1]", r"\[0\]", id="plain-list"),
        pytest.param("CLIENT_PROXY_CONNECT_HTTP_STATIC_HEADERS", "[1]", "STATIC_HEADERS", id="map"),
        pytest.param("CLIENT_TOKEN_META_FROM_CLAIM", "role", "META_FROM_CLAIM", id="key-values"),
        pytest.param("CLIENT_TOKEN_META_FROM_CLAIM", '{"a":1}', "expected a string, got number", id="key-values-types"),
        pytest.param("CLIENT_TOKEN_META_FROM_CLAIM", '[{"key":"a"}]', "invalid value in element 0", id="key-no-value"),
    ],
)
def test_a_value_that_cannot_be_converted_is_fatal_and_names_the_variable(variable, value, text):
    with pytest.raises(ConfigError, match=f"error processing env: envconfig.Process: .*{text}"):
        load(**{f"CENTRIFUGO_{variable}": value})


@pytest.mark.parametrize(
    ("variable", "prefix"),
    [
        pytest.param("CHANNEL_NAMESPACES_AA_HISTORY_SIZE", "env namespaces", id="namespaces"),
        pytest.param("RPC_NAMESPACES_AA_PROXY_ENABLED", "env rpc namespaces", id="rpc"),
        pytest.param("PROXIES_AA_TIMEOUT", "env named proxies", id="proxies"),
        pytest.param("CONSUMERS_AA_KAFKA_FETCH_MAX_BYTES", "env consumers", id="consumers"),
    ],
)
def test_an_error_in_a_variable_of_an_item_names_the_list(variable, prefix):
    lists = dict.fromkeys(("CHANNEL_NAMESPACES", "RPC_NAMESPACES", "PROXIES", "CONSUMERS"), "aa")
    variables = {f"CENTRIFUGO_{name}": value for name, value in (lists | {variable: "99999999999x"}).items()}
    with pytest.raises(ConfigError, match=f"error processing {prefix}: "):
        load(**variables)


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        pytest.param("https://a https://b", ("https://a", "https://b"), id="two"),
        pytest.param("a  b", ("a", "", "b"), id="two-spaces"),
        pytest.param("  ", (), id="blank"),
    ],
)
def test_lists_are_split_at_single_spaces(text, origins):
    assert load(CENTRIFUGO_CLIENT_ALLOWED_ORIGINS=text).client.allowed_origins == origins


def test_a_map_is_a_json_object_that_keeps_its_case_and_expands_references():
    config = load(FANJET_CLIENT_PROXY_CONNECT_HTTP_STATIC_HEADERS='{"X-A": "${FANJET_VAR_A}"}', FANJET_VAR_A="v")
    assert config.client.proxy.connect.http.static_headers == {"X-A": "v"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param('[{"name": "bb"}]', ["bb"], id="json-replaces"),
        pytest.param("[]", [], id="empty-json-empties"),
        pytest.param("bb", ["aa", "bb"], id="name-is-appended"),
        pytest.param("bb cc", ["aa", "bb", "cc"], id="names-are-appended"),
        pytest.param("bb  cc", ["aa", "bb", "", "cc"], id="two-spaces-make-an-item-without-name"),
    ],
)
def test_named_lists(tmp_path, text, names):
    file = tmp_path / "c.json"
    file.write_text('{"channel": {"namespaces": [{"name": "aa", "presence": true}]}}')
    config = load_config(str(file), {"CENTRIFUGO_CHANNEL_NAMESPACES": text}).config
    assert [namespace.name for namespace in config.channel.namespaces] == names


def test_json_items_are_decoded_strictly_with_defaults_and_ignored_unknown_keys():
    text = '[{"Name": "aa", "history_ttl": 60000000000, "history_size": 0, "nonsense": 1, "map": null}]'
    loaded = load_config(env={"FANJET_CHANNEL_NAMESPACES": text})
    (namespace,) = loaded.config.channel.namespaces
    assert (namespace.name, namespace.history_ttl, namespace.publish_proxy_name) == ("aa", 60.0, "default")
    assert loaded.unknown_keys == loaded.unknown_vars == ()


def test_maps_in_json_items_keep_case_and_expand_nothing():
    config = load(FANJET_PROXIES='[{"name": "aa", "http": {"static_headers": {"X-A": "${FANJET_VAR_A}"}}}]')
    assert config.proxies[0].http.static_headers == {"X-A": "${FANJET_VAR_A}"}


def test_items_have_variables_of_their_own():
    loaded = load_config(
        env={
            "CENTRIFUGO_CHANNEL_NAMESPACES": "chat news-eu",
            "CENTRIFUGO_CHANNEL_NAMESPACES_NEWS_EU_HISTORY_SIZE": "10",
            "CENTRIFUGO_CHANNEL_NAMESPACES_NEWS_EU_HISTORY_TTL": "60s",
            "FANJET_CHANNEL_NAMESPACES_CHAT_MAP_KEY_TTL": "5s",
        }
    )
    chat, news = loaded.config.channel.namespaces
    assert (news.history_size, news.history_ttl, chat.map.key_ttl) == (10, 60.0, 5.0)
    assert loaded.unknown_vars == ()


def test_the_prefixes_may_be_mixed():
    config = load(FANJET_CHANNEL_NAMESPACES="aa", CENTRIFUGO_CHANNEL_NAMESPACES_AA_PRESENCE="true")
    assert config.channel.namespaces[0].presence


def test_an_item_can_be_renamed():
    config = load(FANJET_CHANNEL_NAMESPACES="aa", FANJET_CHANNEL_NAMESPACES_AA_NAME="bb")
    assert config.channel.namespaces[0].name == "bb"


@pytest.mark.parametrize(
    ("variable", "reported"),
    [
        pytest.param("CENTRIFUGO_FOO", True, id="unknown"),
        pytest.param("FANJET_FOO", True, id="unknown-own"),
        pytest.param("CENTRIFUGO_VAR_FOO", False, id="free"),
        pytest.param("FANJET_VAR_FOO", False, id="free-own"),
        pytest.param("CENTRIFUGO_SERVICE_HOST", False, id="service"),
        pytest.param("CENTRIFUGO_X_PORT_80_TCP", False, id="service-port"),
        pytest.param("centrifugo_foo", False, id="lower-case"),
        pytest.param("CENTRIFUGO_CHANNEL_NAMESPACES_ZZ_PRESENCE", True, id="item-that-does-not-exist"),
    ],
)
def test_unknown_variables_are_reported(variable, reported):
    assert load_config(env={variable: "1"}).unknown_vars == ((variable,) if reported else ())
    assert load_config(env={variable: ""}).unknown_vars == ((variable,) if reported else ())


def test_an_undecodable_variable_does_no_harm():
    assert load(FANJET_NODE_NAME="a\udcff").node.name == "a\ufffd"


def test_null_is_an_empty_map_or_list():
    transforms = "CENTRIFUGO_CLIENT_CONNECT_CODE_TO_UNIDIRECTIONAL_DISCONNECT_TRANSFORMS"
    assert load(**{transforms: "null", "FANJET_CLIENT_PROXY_CONNECT_HTTP_STATIC_HEADERS": "null"}) == Config()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"Role": "a.b", "x": "${FANJET_VAR_PATH}"}', id="object"),
        pytest.param('[{"key": "Role", "value": "a.b"}, {"key": "x", "value": "${FANJET_VAR_PATH}"}]', id="list"),
    ],
)
def test_key_value_lists_keep_case_and_order(text):
    config = load(FANJET_CLIENT_TOKEN_META_FROM_CLAIM=text, FANJET_VAR_PATH="c")
    assert list(config.client.token.meta_from_claim.items()) == [("Role", "a.b"), ("x", "c")]


def test_jwks_providers_are_one_json_array():
    text = (
        '[{"name": "aa", "enabled": true, "meta_from_claim": {"B": "c"}, "tls": {"server_name": "x"}},'
        ' {"name": "bb", "labels_from_claim": [{"key": "D", "value": "e"}]}]'
    )
    first, second = load(CENTRIFUGO_CLIENT_TOKEN_JWKS_PROVIDERS=text).client.token.jwks.providers
    assert (first.name, first.enabled, first.meta_from_claim, first.tls.server_name) == ("aa", True, {"B": "c"}, "x")
    assert (second.name, second.labels_from_claim) == ("bb", {"D": "e"})
