"""`fanjet checkconfig` (04 §7.3)."""

import pytest


def test_a_valid_file_prints_nothing(fanjet, write):
    write({"client": {"insecure": True}})
    ran = fanjet("checkconfig", "--strict")
    assert (ran.status, ran.out, ran.err) == (0, "", "")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param({"broker": {"type": "rabbit"}}, "error validating config: unknown broker: rabbit\n", id="invalid"),
        pytest.param("{", "error getting config: error reading config file config.json: ", id="broken"),
        pytest.param({"client": 1}, "error getting config: error unmarshalling config: client: ", id="type"),
        pytest.param(
            {"http_server": {"h2c_external": True}},
            "error validating config: external_h2c requires custom separate internal_port to be configured\n",
            id="h2c",
        ),
    ],
)
def test_a_bad_file_is_an_error(fanjet, write, content, text):
    write(content)
    ran = fanjet("checkconfig")
    assert ran.status == 1
    assert ran.out.startswith(text)


def test_a_missing_file_is_an_error(fanjet):
    ran = fanjet("checkconfig", "-c", "missing.json")
    assert (ran.status, ran.out) == (1, "config file not found\n")


def test_an_unsupported_extension_is_an_error(fanjet):
    ran = fanjet("checkconfig", "-c", "settings.conf")
    assert ran.status == 1
    assert 'Unsupported Config Type "conf"' in ran.out


def test_unknown_keys_fail_in_strict_mode_only(fanjet, write):
    write({"clinet": {"a": 1}, "channel": {"namespaces": [{"name": "ns", "histroy_size": 1}]}})
    assert fanjet("checkconfig").status == 0
    ran = fanjet("checkconfig", "-s")
    assert (ran.status, ran.out) == (1, "unknown keys in config: channel.namespaces.[0].histroy_size, clinet\n")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"engine": {"type": "rabbit"}}, id="engine-type"),
        pytest.param({"client": {"ping_interval": "5s"}}, id="pings"),
        pytest.param({"fanjet": {"workers": 4}}, id="not-built"),
    ],
)
def test_what_only_a_start_refuses_passes(fanjet, write, content):
    write(content)
    assert fanjet("checkconfig", "-s").status == 0


def test_the_environment_counts_and_dotenv_does_not(fanjet, write, monkeypatch):
    write({})
    write("CENTRIFUGO_BROKER_TYPE=rabbit", ".env")
    assert fanjet("checkconfig").status == 0
    monkeypatch.setenv("CENTRIFUGO_BROKER_TYPE", "rabbit")
    assert fanjet("checkconfig").status == 1
