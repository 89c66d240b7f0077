"""The tree has every key of the contract, with its type, default and variable (04 §5)."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fanjet.config import Config
from fanjet.config.duration import format_duration
from fanjet.config.schema import NAMED_LISTS, Group, ValueType, group_of, is_own, item_slug, variable_suffix

KEYS = json.loads((Path(__file__).parent / "keys.json").read_text())
"""Rows of key, type, default, variable; `[]` stands for each item of a list, `<NAME>` for an item's name."""
ADDITIONAL_KEYS = json.loads((Path(__file__).parent / "additional_keys.json").read_text())
"""The same for keys that the contract has beyond the reference's open edition (03 §14, 11)."""

NAMED_ENGINES = {"brokers": "broker", "presence_managers": "presence_manager"}
"""Lists whose items have the connections of the engine that has no name."""

ROOT = group_of(Config)


def declared(
    group: Group, at: str = "", variable: str | None = "CENTRIFUGO"
) -> Iterator[tuple[str, str, object, str | None]]:
    for path, key in group.walk():
        name = ".".join([at, *path] if at else path)
        own = None if variable is None else f"{variable}_{variable_suffix(path) if not at else '_'.join(path).upper()}"
        default = format_duration(key.default) if key.type is ValueType.DURATION else key.default
        yield name, key.type.value, list(default) if isinstance(default, tuple) else default, own
        if key.item is not None:
            items = f"{own}_<NAME>" if own is not None and path in NAMED_LISTS else None
            yield from declared(key.item, f"{name}[]", items)


def of_named_engines(rows: list) -> Iterator[list]:
    for list_, one in NAMED_ENGINES.items():
        for key, type_, default, _ in rows:
            if key.startswith((f"{one}.redis.", f"{one}.nats.", f"{one}.postgres.")):
                yield [f"{list_}[]{key.removeprefix(one)}", type_, default, None]


def test_every_key_has_the_type_the_default_and_the_variable_of_the_contract():
    rows = KEYS + ADDITIONAL_KEYS
    rows += of_named_engines(rows)
    expected = {row[0]: (row[1].replace("int64", "int"), row[2], row[3]) for row in rows}
    actual = {row[0]: row[1:] for row in declared(ROOT) if not row[0].startswith("fanjet.")}
    assert actual.keys() == expected.keys()
    assert {key: (value, expected[key]) for key, value in actual.items() if value != expected[key]} == {}


def test_the_keys_of_the_contract_are_1168():
    assert len(KEYS) == 1168


def test_no_two_keys_share_a_variable():
    names = [variable_suffix(path) for path, _ in ROOT.walk()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("path", "suffix"),
    [
        pytest.param(("http_server", "port"), "HTTP_SERVER_PORT", id="path"),
        pytest.param(("fanjet", "workers"), "WORKERS", id="own-object-leaves-its-name-out"),
    ],
)
def test_a_variable_is_named_after_the_path(path, suffix):
    assert variable_suffix(path) == suffix


def test_only_keys_of_the_own_object_are_own():
    assert is_own(("fanjet", "workers"))
    assert not is_own(("client", "insecure"))


def test_dots_and_dashes_of_an_item_name_become_underscores():
    assert item_slug("live-feed.eu") == "LIVE_FEED_EU"


def test_every_key_is_described():
    assert [path for path, key in ROOT.walk() if not key.description] == []


def test_sections_are_frozen_and_refuse_unknown_keys():
    with pytest.raises(ValueError, match="frozen"):
        Config().pid_file = "x"
    with pytest.raises(ValueError, match="clinet"):
        Config.model_validate({"clinet": {}})
