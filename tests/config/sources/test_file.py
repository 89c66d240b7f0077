"""The configuration file: formats and their common shape (04 §1.2, §1.4)."""

import pytest

from fanjet.config import ConfigError
from fanjet.config.sources.file import normalise, read_file


def tree(tmp_path, text: str, extension: str) -> dict:
    file = tmp_path / f"config.{extension}"
    file.write_text(text)
    return read_file(str(file)).tree


@pytest.mark.parametrize(
    ("extension", "text"),
    [
        pytest.param("json", '{"client": {"channel_limit": 5, "allowed_origins": ["a", "b"]}}', id="json"),
        pytest.param("yaml", "client:\n  channel_limit: 5\n  allowed_origins: [a, b]\n", id="yaml"),
        pytest.param("yml", "client: {channel_limit: 5, allowed_origins: [a, b]}\n", id="yml"),
        pytest.param("toml", '[client]\nchannel_limit = 5\nallowed_origins = ["a", "b"]\n', id="toml"),
    ],
)
def test_all_formats_give_the_same_tree(tmp_path, extension, text):
    assert tree(tmp_path, text, extension) == {"client": {"channel_limit": 5, "allowed_origins": ["a", "b"]}}


@pytest.mark.parametrize(
    ("extension", "text"),
    [
        pytest.param("json", "null", id="json-null"),
        pytest.param("yaml", "", id="yaml"),
        pytest.param("toml", "", id="toml"),
    ],
)
def test_an_empty_document_is_an_empty_object(tmp_path, extension, text):
    assert tree(tmp_path, text, extension) == {}


@pytest.mark.parametrize(
    ("extension", "text"),
    [
        pytest.param("json", "", id="empty-json"),
        pytest.param("json", '{"a": 1,}', id="trailing-comma"),
        pytest.param("json", '{"a": NaN}', id="json-nan"),
        pytest.param("json", '\ufeff{"a": 1}', id="byte-order-mark"),
        pytest.param("json", "[1]", id="json-list"),
        pytest.param("json", "[" * 100_000, id="deep-json"),
        pytest.param("yaml", "a: 1\na: 2\n", id="yaml-duplicate-key"),
        pytest.param("yaml", "a: [", id="broken-yaml"),
        pytest.param("yaml", "a: &a [*a]", id="yaml-that-contains-itself"),
        pytest.param("yaml", "a: !!python/object:os.system x", id="yaml-python-object"),
        pytest.param("yaml", "just text", id="yaml-string"),
        pytest.param("toml", "a = 1\na = 2\n", id="toml-duplicate-key"),
    ],
)
def test_a_file_that_does_not_parse_is_an_error_that_names_it(tmp_path, extension, text):
    with pytest.raises(ConfigError, match=r"error reading config file .*config\."):
        tree(tmp_path, text, extension)


@pytest.mark.parametrize("name", ["settings.conf", "settings", "settings.JSON", "settings.ini"])
def test_an_unsupported_extension_is_an_error_before_the_file_is_opened(name):
    extension = name.rpartition(".")[2] if "." in name else ""
    with pytest.raises(ConfigError, match=f'Unsupported Config Type "{extension}"'):
        read_file(name)


def test_a_file_that_cannot_be_opened_counts_as_not_found(tmp_path):
    (tmp_path / "folder.json").mkdir()
    assert not read_file(str(tmp_path / "missing.json")).found
    assert not read_file(str(tmp_path / "folder.json")).found


def test_invalid_utf8_is_an_error(tmp_path):
    (tmp_path / "c.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ConfigError, match="utf-8"):
        read_file(str(tmp_path / "c.json"))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param({"Client": {"Insecure": True}}, {"client": {"insecure": True}}, id="lower-case"),
        pytest.param({"client.insecure": True}, {"client": {"insecure": True}}, id="dotted"),
        pytest.param({"client": {"token.issuer": "a"}}, {"client": {"token": {"issuer": "a"}}}, id="dotted-inside"),
        pytest.param({"a": {"b": 1}, "a.c": 2}, {"a": {"b": 1, "c": 2}}, id="merged"),
        pytest.param({"a.b": 1, "a": {"c": 2}}, {"a": {"b": 1, "c": 2}}, id="merged-the-other-way"),
        pytest.param({"a": 1, "a.b": True}, {"a": {"b": True}}, id="object-wins-later"),
        pytest.param({"a.b": True, "a": 1}, {"a": 1}, id="scalar-wins-later"),
        pytest.param({"l": [{"A.B": 1}]}, {"l": [{"a.b": 1}]}, id="no-dots-in-lists"),
        pytest.param({"a": None, "b": {}, "c": {"d": None}, "e": {"f": {}}}, {}, id="null-and-empty-are-absent"),
        pytest.param({"l": [{"a": None, "b": {}, "c": {"d": {}}}]}, {"l": [{}]}, id="the-same-in-lists"),
        pytest.param({"l": [None], "m": []}, {"l": [None], "m": []}, id="lists-stay"),
        pytest.param({1: {True: "x"}}, {"1": {"true": "x"}}, id="keys-of-other-types"),
    ],
)
def test_keys_are_brought_into_one_shape(raw, expected):
    assert normalise(raw) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("on", "on", id="on"),
        pytest.param("yes", "yes", id="yes"),
        pytest.param("y", "y", id="y"),
        pytest.param("12:30", "12:30", id="time"),
        pytest.param("true", True, id="true"),
        pytest.param("0123", 83, id="octal"),
        pytest.param("0o17", 15, id="octal-prefix"),
        pytest.param("0x1F", 31, id="hexadecimal"),
        pytest.param("0b11", 3, id="binary"),
        pytest.param("1_000", 1000, id="separator"),
        pytest.param("1.10", 1.1, id="float"),
        pytest.param("1e3", 1000.0, id="exponent"),
        pytest.param("089", 89.0, id="no-octal"),
        pytest.param("1s", "1s", id="duration"),
        pytest.param("'0123'", "0123", id="quoted"),
        pytest.param("1.2.3.4", "1.2.3.4", id="address"),
        pytest.param("2a", "2a", id="digit-first"),
    ],
)
def test_plain_yaml_words(tmp_path, text, value):
    assert tree(tmp_path, f"a: {text}\n", "yaml") == {"a": value}


def test_the_first_yaml_document_counts(tmp_path):
    assert tree(tmp_path, "a: 1\n---\nb: 2\n", "yaml") == {"a": 1}


def test_yaml_merge_keys_work(tmp_path):
    assert tree(tmp_path, "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\n", "yaml")["y"] == {"a": 1, "b": 3}


def test_the_last_of_two_json_keys_wins(tmp_path):
    assert tree(tmp_path, '{"a": 1, "a": 2}', "json") == {"a": 2}
