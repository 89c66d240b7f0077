"""Writes a configuration tree as JSON, YAML or TOML.

The written text reads back the same (04 §7.4).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import cast

import yaml

from fanjet.config.errors import ConfigError
from fanjet.config.sources.file import extension_of
from fanjet.config.sources.yaml_loader import Dumper

Tree = Mapping[str, object]


def write_tree(tree: Tree, path: str) -> str:
    """Return the text in the format that the extension of `path` names.

    Raises ConfigError for another extension.
    """
    writer = _WRITERS.get(extension_of(path))
    if writer is None:
        supported = ", ".join(_WRITERS)
        raise ConfigError(f"output config file must have one of supported extensions: {supported}")
    return writer(tree)


def write_json(tree: Tree) -> str:
    """Two spaces per level, no newline at the end."""
    return json.dumps(tree, ensure_ascii=False, indent=2)


def write_yaml(tree: Tree) -> str:
    """Block style; words that would read as something else are quoted."""
    return yaml.dump(dict(tree), Dumper=Dumper, sort_keys=False, allow_unicode=True, indent=2, width=1_000_000)


def write_toml(tree: Tree) -> str:
    """Tables with full names; what has no value is left out."""
    return "\n".join(_toml_table(tree, ())).lstrip("\n") + "\n"


def _toml_table(table: Tree, at: tuple[str, ...]) -> Iterator[str]:
    tables = {name: value for name, value in table.items() if isinstance(value, dict) or _is_array_of_tables(value)}
    for name, value in table.items():
        if name not in tables and value is not None:
            yield f"{_toml_key(name)} = {_toml_value(value)}"
    for name, value in tables.items():
        path = (*at, _toml_key(name))
        if isinstance(value, dict):
            yield f"\n[{'.'.join(path)}]"
            yield from _toml_table(value, path)
            continue
        for item in cast("list[Tree]", value):
            yield f"\n[[{'.'.join(path)}]]"
            yield from _toml_table(item, path)


def _is_array_of_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _toml_key(name: str) -> str:
    plain = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if plain else _toml_value(name)


def _toml_value(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_toml_value(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


_WRITERS: Mapping[str, Callable[[Tree], str]] = {
    "json": write_json,
    "toml": write_toml,
    "yaml": write_yaml,
    "yml": write_yaml,
}
