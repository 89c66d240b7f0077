"""`fanjet defaultconfig` (04 §7.4)."""

import json

import pytest

from fanjet.config import load_config

BASE = {
    "client": {
        "channel_limit": 0,
        "ping_interval": "-1s",
        "allowed_origins": ["on", "12:30", "0o17", 'a"b\n', "2024-01-02"],
    },
    "channel": {"namespaces": [{"name": "ns", "history_size": 5, "history_ttl": "1m"}]},
    "engine": {"redis": {"address": []}},
    "node": {"name": "é\u0007\u007f"},
    "proxies": [
        {
            "name": "pp",
            "endpoint": "http://x",
            "http": {
                "static_headers": [{"key": "X-A", "value": "1"}],
                "status_to_code_transforms": [{"status_code": 1, "to_error": {"code": 2}}],
            },
        }
    ],
    "client.proxy.connect.http.static_headers": {"X-Trace": "v"},
    "broker.nats.raw_mode.channel_replacements": [{"key": ".", "value": "A"}],
    "client.token.meta_from_claim": [{"key": "role", "value": "a.b"}],
    "client.token.jwks.providers": [{"name": "aa", "labels_from_claim": [{"key": "Tier", "value": "c"}]}],
}


@pytest.mark.parametrize("extension", ["json", "yaml", "toml"])
def test_what_is_written_loads_back_to_the_same_configuration(fanjet, write, tmp_path, extension):
    base = write(BASE, "base.json")
    out = f"out.{extension}"
    assert fanjet("defaultconfig", "-c", out, "-b", str(base)).status == 0
    assert (tmp_path / out).stat().st_mode & 0o777 == 0o600
    assert load_config(out, {}).config == load_config(str(base), {}).config
    assert fanjet("checkconfig", "--strict", "-c", out).status == 0


def test_all_formats_of_the_base_give_the_same_output(fanjet, write):
    write({"client": {"channel_limit": 5}, "channel": {"namespaces": [{"name": "ns"}]}}, "b.json")
    write("client: {channel_limit: 5}\nchannel:\n  namespaces: [{name: ns}]\n", "b.yaml")
    write("client.channel_limit = 5\n[[channel.namespaces]]\nname = 'ns'\n", "b.toml")
    outputs = {fanjet("defaultconfig", "-d", "-b", f"b.{extension}").out for extension in ("json", "yaml", "toml")}
    assert len(outputs) == 1


def test_a_dry_run_prints_and_touches_nothing(fanjet, write, tmp_path):
    write({"client.proxy.connect.http.static_headers": {"X-Trace": "v"}}, "b.json")
    write("x", "config.json")
    ran = fanjet("defaultconfig", "--dry-run", "--base", "b.json")
    tree = json.loads(ran.out)
    assert ran.out.endswith("}\n")
    assert tree["client"]["proxy"]["connect"]["http"]["static_headers"] == {"x-trace": "v"}
    assert tree["client"]["ping_interval"] == "25s"
    assert tree["client"]["allowed_origins"] is None
    assert "redisnats" not in tree["broker"]
    assert (tmp_path / "config.json").read_text() == "x"


def test_json_is_indented_and_has_no_newline_at_the_end(fanjet, tmp_path):
    fanjet("defaultconfig", "-c", "out.json")
    text = (tmp_path / "out.json").read_text()
    assert text.startswith('{\n  "http_server": {\n    "address": ""')
    assert text.endswith("\n}")


def test_the_environment_overlays_the_base(fanjet, write, monkeypatch):
    write({"client": {"channel_limit": 5}}, "b.json")
    monkeypatch.setenv("FANJET_CLIENT_CHANNEL_LIMIT", "6")
    assert json.loads(fanjet("defaultconfig", "-d", "-b", "b.json").out)["client"]["channel_limit"] == 6


def test_an_existing_target_is_kept(fanjet):
    assert fanjet("defaultconfig", "-c", "out.json").status == 0
    ran = fanjet("defaultconfig", "-c", "out.json")
    assert (ran.status, ran.out) == (1, "error: target file already exists\n")


def test_errors_are_prefixed(fanjet, write):
    write({"broker": {"type": "rabbit"}}, "b.json")
    assert fanjet("defaultconfig", "-d", "-b", "b.json").out == "error: unknown broker: rabbit\n"
    ran = fanjet("defaultconfig", "-c", "out.ini")
    assert ran.status == 1
    assert "supported extensions: json, toml, yaml, yml" in ran.out


def test_a_missing_base_is_ignored(fanjet):
    assert fanjet("defaultconfig", "-d", "-b", "missing.json").status == 0
