"""From file, environment and flags to one configuration (04 §1)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.config import Config, ConfigError, Loaded, load_config, reload_config
from fanjet.config.schema import group_of, variable_suffix
from fanjet.config.validation import problems


@pytest.fixture
def load(tmp_path):
    def load_(content: object = None, env: dict | None = None, flags: dict | None = None, text: str = "") -> Loaded:
        file = tmp_path / ("config.yaml" if text else "config.json")
        file.write_text(text or json.dumps(content or {}))
        return load_config(str(file), env or {}, flags)

    return load_


def test_defaults_file_environment_and_flags_in_this_order(load):
    file = {"http_server": {"port": 8101}}
    assert load_config(env={}).config.http_server.port == 8000
    assert load(file).config.http_server.port == 8101
    assert load(file, {"CENTRIFUGO_HTTP_SERVER_PORT": "8102"}).config.http_server.port == 8102
    both = load(file, {"CENTRIFUGO_HTTP_SERVER_PORT": "8102"}, {"http_server.port": "8103"})
    assert both.config.http_server.port == 8103


def test_a_flag_false_overrides_the_file(load):
    assert not load({"health": {"enabled": True}}, flags={"health.enabled": "false"}).config.health.enabled


@pytest.mark.parametrize(
    ("zero", "env", "flags", "port"),
    [
        pytest.param(0, {}, {}, 8000, id="file-number"),
        pytest.param("", {}, {}, 8000, id="file-text"),
        pytest.param(0, {"FANJET_HTTP_SERVER_PORT": "0"}, {}, 0, id="environment"),
        pytest.param(5, {"FANJET_HTTP_SERVER_PORT": ""}, {}, 5, id="empty-variable-is-unset"),
        pytest.param(5, {}, {"http_server.port": "0"}, 0, id="flag"),
    ],
)
def test_zero_means_default_in_the_file_only(load, zero, env, flags, port):
    assert load({"http_server": {"port": zero}}, env, flags).config.http_server.port == port


def test_a_written_zero_duration_means_default(load):
    assert load({"client": {"ping_interval": "0s"}}).config.client.ping_interval == 25.0
    assert load({}, {"FANJET_CLIENT_PING_INTERVAL": "0s"}).config.client.ping_interval == 0.0


def test_an_explicit_empty_list_stays_empty(load):
    assert load({"engine": {"redis": {"address": []}}}).config.engine.redis.address == ()


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        pytest.param("client.channel_limit", "0x10", 16, id="int-from-text"),
        pytest.param("client.channel_limit", True, 1, id="int-from-bool"),
        pytest.param("client.channel_limit", 7.9, 7, id="int-from-float"),
        pytest.param("client.insecure", 2, True, id="bool-from-number"),
        pytest.param("client.insecure", "T", True, id="bool-from-text"),
        pytest.param("client.insecure", "", False, id="bool-from-empty-text"),
        pytest.param("http_server.internal_port", 9000, "9000", id="string-from-number"),
        pytest.param("node.name", True, "1", id="string-from-bool"),
        pytest.param("client.allowed_origins", "a b,c", ("a b,c",), id="list-from-text"),
        pytest.param("client.allowed_origins", "", ("",), id="list-from-empty-text"),
        pytest.param("client.allowed_origins", [1, None, True], ("1", "", "1"), id="list-elements"),
        pytest.param("client.ping_interval", 25, 25e-9, id="duration-from-nanoseconds"),
        pytest.param("client.ping_interval", -1, -1e-9, id="duration-negative"),
        pytest.param("client.ping_interval", "1m", 60.0, id="duration"),
    ],
)
def test_values_of_the_file_are_weakly_typed(load, key, value, expected):
    section, name = key.split(".")
    assert getattr(getattr(load({key: value}).config, section), name) == expected


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param({"client": {"channel_limit": "abc"}}, 'client.channel_limit: cannot use "abc" as int', id="int"),
        pytest.param({"client": {"channel_limit": [1]}}, "client.channel_limit: cannot use list as int", id="list"),
        pytest.param({"client": {"channel_limit": 2**63}}, f"cannot use {2**63} as int: value out", id="int-range"),
        pytest.param({"client": {"channel_limit": 1e30}}, r"cannot use 1e\+30 as int: value out", id="int-range-float"),
        pytest.param(
            {"client": {"channel_limit": "0x8000000000000000"}},
            'cannot use "0x8000000000000000" as int: value out of range',
            id="int-range-text",
        ),
        pytest.param({"client": {"insecure": "yes"}}, 'client.insecure: cannot use "yes" as bool', id="bool"),
        pytest.param({"client": {"ping_interval": ""}}, "client.ping_interval: ", id="empty-duration"),
        pytest.param({"client": {"ping_interval": True}}, "cannot use true as duration: expected", id="duration-bool"),
        pytest.param({"client": {"ping_interval": 2**63}}, "duration out of range", id="duration-range"),
        pytest.param({"client": {"ping_interval": "-1"}}, "missing unit", id="duration-without-unit"),
        pytest.param({"client": 1}, "client: expected an object, got number", id="object"),
        pytest.param({"client": []}, "client: expected an object, got list", id="object-from-list"),
        pytest.param({"log": {"level": {"a": 1}}}, "log.level: cannot use object as string", id="string"),
        pytest.param({"client": {"allowed_origins": [[1]]}}, r"client.allowed_origins\[0\]: ", id="list-element"),
        pytest.param({"channel": {"namespaces": ["a"]}}, r"channel.namespaces\[0\]: expected an object", id="item"),
        pytest.param(
            {"channel": {"namespaces": [{"name": "aa"}, {"map": {"key_ttl": "1"}}]}},
            r"channel.namespaces\[1\].map.key_ttl: ",
            id="inside-item",
        ),
        pytest.param(
            {"client": {"connect_code_to_unidirectional_disconnect": {"transforms": [{"code": -1}]}}},
            r"transforms\[0\].code: cannot use -1 as uint32: value out of range",
            id="unsigned",
        ),
    ],
)
def test_a_value_that_cannot_be_converted_is_named_with_its_key(load, content, text):
    with pytest.raises(ConfigError, match=f"error unmarshalling config: .*{text}"):
        load(content)


def test_secrets_are_not_shown(load):
    with pytest.raises(ConfigError) as error:
        load({"client": {"token": {"hmac_secret_key": ["s3cret"]}}})
    assert "s3cret" not in str(error.value)
    with pytest.raises(ConfigError) as error:
        load({}, {"FANJET_PROXIES": '[{"name": "aa", "endpoint": "s3cret", "timeout": 1.5}]'})
    assert "s3cret" not in str(error.value)
    assert "FANJET_PROXIES" in str(error.value)
    with pytest.raises(ConfigError) as error:
        load({}, {"FANJET_PROXIES": '[{"name": "aa", "endpoint": 90125}]'})
    assert "90125" not in str(error.value)
    assert "[0].endpoint: cannot use <redacted> as string" in str(error.value)


def test_an_unquoted_yaml_date_is_no_string(load):
    with pytest.raises(ConfigError, match=r"node.name: cannot use 2024-01-02 as string"):
        load(text="node: {name: 2024-01-02}")


def test_one_object_stands_for_a_list_of_one(load):
    assert [n.name for n in load({"channel": {"namespaces": {"name": "aa", "x": 1}}}).config.channel.namespaces] == [
        "aa"
    ]


HEADERS = "client.proxy.connect.http.static_headers"


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        pytest.param({"X-Trace": "v"}, {"x-trace": "v"}, id="object-lower-cases"),
        pytest.param([{"key": "X-Trace", "value": "v"}], {"X-Trace": "v"}, id="list-keeps-case"),
        pytest.param([{"Key": "a.B", "VALUE": "v"}], {"a.B": "v"}, id="list-allows-dots"),
        pytest.param({"a": "x ${CENTRIFUGO_VAR_TOK} ${FANJET_VAR_E}."}, {"a": "x t ."}, id="references"),
        pytest.param({"a": "${HOME} ${CENTRIFUGO_TOK}"}, {"a": "${HOME} ${CENTRIFUGO_TOK}"}, id="other-text-stays"),
        pytest.param({"a": "${FANJET_VAR_} $FANJET_VAR_E"}, {"a": "${FANJET_VAR_} $FANJET_VAR_E"}, id="no-name"),
    ],
)
def test_maps(load, given_, expected):
    config = load({HEADERS: given_}, {"CENTRIFUGO_VAR_TOK": "t", "FANJET_VAR_E": "", "HOME": "x"}).config
    assert config.client.proxy.connect.http.static_headers == expected


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        pytest.param({"a": 5}, 'expected string value for key "a", got number', id="value"),
        pytest.param({"X.Trace": "v"}, 'expected string value for key "x", got object', id="dot"),
        pytest.param([1], "expected map for element 0, got number", id="element"),
        pytest.param([{"value": "v"}], "missing or invalid key in element 0", id="no-key"),
        pytest.param([{"key": "k", "value": 1}], "missing or invalid value in element 0", id="no-value"),
        pytest.param([{"key": "k", "value": "v"}] * 2, 'duplicate key "k" at element 1', id="twice"),
        pytest.param(5, "unsupported type number for MapStringString", id="number"),
        pytest.param(
            {"a": "${FANJET_VAR_E-x}"}, 'environment variable "FANJET_VAR_E-x" not found', id="no-shell-syntax"
        ),
        pytest.param({"a": "${FANJET_VAR_NO}"}, 'environment variable "FANJET_VAR_NO" not found', id="reference"),
    ],
)
def test_bad_maps(load, given_, text):
    with pytest.raises(ConfigError, match=f"{HEADERS}: {text}"):
        load({HEADERS: given_})


META = "client.token.meta_from_claim"


def test_key_value_lists(load):
    rows = [{"key": "Role", "value": "a.b"}, {"KEY": "x.y", "value": "${FANJET_VAR_E}"}]
    config = load({META: rows}, {"FANJET_VAR_E": "c"}).config
    assert list(config.client.token.meta_from_claim.items()) == [("Role", "a.b"), ("x.y", "c")]
    provider = {"name": "aa", "meta_from_claim": rows[:1]}
    config = load({"client": {"token": {"jwks": {"providers": [provider]}}}}).config
    assert config.client.token.jwks.providers[0].meta_from_claim == {"Role": "a.b"}


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        pytest.param({"a": "b"}, "expected a list of {key, value} objects, got object", id="object"),
        pytest.param("a", "expected a list of {key, value} objects, got string", id="text"),
        pytest.param([{"key": "k"}], "missing or invalid value in element 0", id="no-value"),
        pytest.param([{"key": "k", "value": "v"}] * 2, 'duplicate key "k" at element 1', id="twice"),
    ],
)
def test_bad_key_value_lists(load, given_, text):
    with pytest.raises(ConfigError, match=f"{META}: {text}"):
        load({META: given_})


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        pytest.param({"clinet": {"insecure": True}}, ["clinet"], id="topmost-only"),
        pytest.param({"client": {"Insceure": 1}}, ["client.insceure"], id="lower-cased"),
        pytest.param(
            {"clinet": {"a": 1}, "channel": {"namespaces": [{"name": "ns", "histroy_size": 1}]}},
            ["channel.namespaces.[0].histroy_size", "clinet"],
            id="in-list",
        ),
        pytest.param({"consumers": [{"kafka": {"topic": "x"}}]}, ["consumers.[0].kafka.topic"], id="in-object-in-list"),
        pytest.param({"a": None, "b": {}, "c": {"d": None}}, [], id="null-and-empty"),
        pytest.param({HEADERS: {"anything": "x"}}, [], id="map"),
        pytest.param({"license": "x", "usage_stats": {"disabled": True}}, [], id="accepted"),
        pytest.param({"sentry": {"dsn": "x"}, "database": {"enabled": True}}, ["database", "sentry"], id="not-built"),
    ],
)
def test_unknown_keys_are_reported(load, content, keys):
    assert list(load(content).unknown_keys) == keys


def test_reload_refuses_when_the_file_is_gone(tmp_path):
    file = tmp_path / "c.json"
    file.write_text("{}")
    loaded = load_config(str(file), {})
    file.unlink()
    with pytest.raises(ConfigError, match="cannot be opened now"):
        reload_config(loaded)


def test_reload_keeps_the_flags(tmp_path):
    file = tmp_path / "c.json"
    file.write_text("{}")
    loaded = load_config(str(file), {}, {"http_server.port": "9"})
    file.write_text('{"client": {"channel_limit": 3}}')
    again = reload_config(loaded)
    assert (again.config.http_server.port, again.config.client.channel_limit) == (9, 3)


def test_a_missing_file_is_no_error(tmp_path):
    loaded = load_config(str(tmp_path / "missing.json"), {})
    assert not loaded.file_found
    assert loaded.config == Config()


KEYS = [".".join(path) for path, _ in group_of(Config).walk()]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["key", "value", "name", "x"]), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4))
def test_any_value_at_any_key_loads_or_is_a_clear_error(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("fuzz") / "c.json"
    file.write_text(json.dumps(content))
    try:
        list(problems(load_config(str(file), {}).config))
    except ConfigError as error:
        assert any(key in str(error) for key in content) or "error reading" in str(error)  # noqa: PT017


VARIABLES = ["FANJET_" + variable_suffix(path) for path, _ in group_of(Config).walk()]
TEXTS = st.text(max_size=6) | st.sampled_from(
    ["[]", "{}", "null", "[{}]", '[{"name": 1}]', "[[", "1e9", "-1", "1s", "a b"]
)


@given(st.dictionaries(st.sampled_from(VARIABLES), TEXTS, max_size=4))
def test_any_text_in_any_variable_loads_or_is_a_clear_error(variables):
    try:
        list(problems(load_config(env=variables).config))
    except ConfigError as error:
        assert any(name in str(error) for name in variables)  # noqa: PT017
