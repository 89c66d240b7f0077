"""`fanjet defaultenv` (04 §7.5)."""

import json
from pathlib import Path

import pytest

KEYS = json.loads((Path(__file__).parents[1] / "config" / "keys.json").read_text())


def lines(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def test_every_variable_is_printed_once_and_sorted(fanjet):
    ran = fanjet("defaultenv")
    names = [line.split("=", 1)[0] for line in ran.out.splitlines()]
    expected = {row[3].replace("CENTRIFUGO_", "FANJET_") for row in KEYS if row[3] and "<NAME>" not in row[3]}
    assert len(expected) == 825
    assert expected <= set(names)
    assert names == sorted(set(names))
    assert "FANJET_WORKERS" in names


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("FANJET_CLIENT_PING_INTERVAL", "25s", id="duration"),
        pytest.param("FANJET_HTTP_SERVER_TLS_AUTOCERT_HTTP_ADDR", '":80"', id="string"),
        pytest.param("FANJET_ENGINE_REDIS_ADDRESS", '"redis://127.0.0.1:6379"', id="list"),
        pytest.param("FANJET_CLIENT_ALLOWED_ORIGINS", '""', id="empty-list"),
        pytest.param("FANJET_CLIENT_CHANNEL_LIMIT", "128", id="int"),
        pytest.param("FANJET_CLIENT_INSECURE", "false", id="bool"),
        pytest.param("FANJET_CHANNEL_NAMESPACES", '""', id="named-list"),
        pytest.param("FANJET_CLIENT_PROXY_CONNECT_HTTP_STATIC_HEADERS", '"{}"', id="map"),
        pytest.param("FANJET_UNI_SSE_CONNECT_CODE_TO_HTTP_RESPONSE_TRANSFORMS", '"[]"', id="plain-list"),
        pytest.param("FANJET_WORKERS", "1", id="own"),
    ],
)
def test_defaults_in_their_syntax(fanjet, name, value):
    assert lines(fanjet("defaultenv").out)[name] == value


def test_values_of_a_base_and_items_of_named_lists(fanjet, write):
    write(
        {
            "Client": {"Channel_Limit": "0x10", "allowed_origins": ["a", "b"]},
            "client.proxy.connect.http.static_headers": {"k": 'v"w\\'},
            "client.proxy.refresh.http.static_headers": [{"key": "X.A", "value": "v"}],
            "client.token.meta_from_claim": [{"key": "Role", "value": "a.b"}],
            "channel": {"namespaces": [{"name": "live-feed", "history_size": 5, "history_ttl": "1m"}, {"name": "aa"}]},
        },
        "b.json",
    )
    printed = lines(fanjet("defaultenv", "--base", "b.json").out)
    assert printed["FANJET_CLIENT_CHANNEL_LIMIT"] == "16"
    assert printed["FANJET_CLIENT_ALLOWED_ORIGINS"] == '"a b"'
    escaped = r'"{\"k\":\"v\\\"w\\\\\"}"'
    assert printed["FANJET_CLIENT_PROXY_CONNECT_HTTP_STATIC_HEADERS"] == escaped
    assert printed["FANJET_CLIENT_PROXY_REFRESH_HTTP_STATIC_HEADERS"] == r'"{\"X.A\":\"v\"}"'
    assert printed["FANJET_CLIENT_TOKEN_META_FROM_CLAIM"] == r'"{\"Role\":\"a.b\"}"'
    assert printed["FANJET_CHANNEL_NAMESPACES"] == '"live-feed aa"'
    assert printed["FANJET_CHANNEL_NAMESPACES_LIVE_FEED_HISTORY_SIZE"] == "5"
    assert printed["FANJET_CHANNEL_NAMESPACES_LIVE_FEED_HISTORY_TTL"] == "1m0s"
    assert printed["FANJET_CHANNEL_NAMESPACES_AA_NAME"] == '"aa"'


def test_a_written_zero_means_default_unless_the_environment_has_it(fanjet, write, monkeypatch):
    write({"client": {"channel_limit": 0}}, "b.json")
    assert lines(fanjet("defaultenv", "-b", "b.json").out)["FANJET_CLIENT_CHANNEL_LIMIT"] == "128"
    monkeypatch.setenv("CENTRIFUGO_CLIENT_CHANNEL_LIMIT", "0")
    assert lines(fanjet("defaultenv", "-b", "b.json").out)["FANJET_CLIENT_CHANNEL_LIMIT"] == "0"


def test_only_what_the_base_sets_to_something(fanjet, write):
    write({"admin": {"enabled": False}, "engine": {"type": "redis"}}, "f.json")
    ran = fanjet("defaultenv", "--base", "f.json", "--base-non-zero-only")
    assert ran.out == 'FANJET_ENGINE_TYPE="redis"\n'


def test_items_of_the_base_that_are_not_zero(fanjet, write):
    write({"channel": {"namespaces": [{"name": "aa", "presence": True, "history_size": 0}]}}, "f.json")
    ran = fanjet("defaultenv", "--base", "f.json", "--base-non-zero-only")
    assert ran.out.splitlines() == [
        'FANJET_CHANNEL_NAMESPACES="aa"',
        'FANJET_CHANNEL_NAMESPACES_AA_NAME="aa"',
        "FANJET_CHANNEL_NAMESPACES_AA_PRESENCE=true",
    ]


def test_dotenv_is_not_read(fanjet, write):
    write("FANJET_HTTP_SERVER_PORT=8110", ".env")
    assert lines(fanjet("defaultenv").out)["FANJET_HTTP_SERVER_PORT"] == "8000"
