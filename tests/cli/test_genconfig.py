"""`fanjet genconfig` (04 §7.2)."""

import pytest

from fanjet.config import load_config


@pytest.mark.parametrize("extension", ["json", "yaml", "yml", "toml"])
def test_a_private_file_with_fresh_secrets_is_written(fanjet, tmp_path, extension):
    name = f"c.{extension}"
    ran = fanjet("genconfig", "-c", name)
    assert (ran.status, ran.out) == (0, "")
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    loaded = load_config(name, {})
    assert loaded.unknown_keys == ()
    assert len(loaded.config.client.token.hmac_secret_key) == 86
    assert len(loaded.config.admin.password) == 22
    assert len(loaded.config.admin.secret) == len(loaded.config.http_api.key) == 86


def test_an_existing_file_is_kept(fanjet):
    fanjet("genconfig", "-c", "c.yaml")
    ran = fanjet("genconfig", "-c", "c.yaml")
    assert (ran.status, ran.out) == (1, "error: output config file already exists: c.yaml\n")


def test_another_extension_is_an_error(fanjet, tmp_path):
    ran = fanjet("genconfig", "-c", "c.ini")
    assert ran.status == 1
    assert ran.out == "error: output config file must have one of supported extensions: json, toml, yaml, yml\n"
    assert not (tmp_path / "c.ini").exists()


def test_the_file_is_removed_when_the_environment_makes_it_invalid(fanjet, tmp_path, monkeypatch):
    monkeypatch.setenv("FANJET_BROKER_TYPE", "rabbit")
    ran = fanjet("genconfig")
    assert (ran.status, ran.out) == (1, "error validating config: unknown broker: rabbit\n")
    assert not (tmp_path / "config.json").exists()
