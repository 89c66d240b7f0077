"""Reads, parses and normalises the configuration file (04 §1.2, §1.4)."""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath

import yaml

from fanjet.config.errors import ConfigError
from fanjet.config.scalars import clean_text
from fanjet.config.sources.strict import parse_json
from fanjet.config.sources.yaml_loader import load_yaml


@dataclass(frozen=True, slots=True)
class FileTree:
    """The contents of a configuration file.

    Keys are in lower case, dotted keys unfolded, nulls and empty objects removed.
    """

    found: bool
    tree: Mapping[str, object] = field(default_factory=dict)


def read_file(path: str) -> FileTree:
    """Read a JSON, YAML or TOML file; one that cannot be opened counts as not found.

    Raises ConfigError.
    """
    parse = _parser_for(path)
    try:
        content = FilePath(path).read_bytes()
    except (OSError, ValueError):  # ValueError: a null byte in the path
        return FileTree(found=False)
    try:
        raw = parse(content.decode())
        return FileTree(True, normalise(_top_level(raw)))
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"error reading config file {path}: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"error reading config file {path}: nested too deeply") from error


def extension_of(path: str) -> str:
    """Return what selects the format: the text after the last dot of the file's name."""
    name = path.replace("\\", "/").rsplit("/", 1)[-1]
    return name.rsplit(".", 1)[1] if "." in name else ""


def normalise(raw: Mapping[object, object]) -> dict[str, object]:
    """Bring an object outside lists into the normal form.

    A later key wins over an earlier one, objects are merged.
    """
    tree: dict[str, object] = {}
    for given_name, given in raw.items():
        value = normalise(given) if isinstance(given, dict) else _normalise_value(given)
        if value is None or value == {}:
            continue
        *parents, name = _key_text(given_name).split(".")
        _merge(_object_at(tree, parents), name, value)
    return tree


def _normalise_value(value: object) -> object:
    """Inside lists a dot is an ordinary character."""
    if isinstance(value, dict):
        items = ((_key_text(name), _normalise_value(item)) for name, item in value.items())
        return {name: item for name, item in items if item is not None and item != {}}
    if isinstance(value, list):
        return [_normalise_value(item) for item in value]
    return clean_text(value) if isinstance(value, str) else value


def _key_text(name: object) -> str:
    return clean_text(str(name)).lower()


def _object_at(tree: dict[str, object], parents: list[str]) -> dict[str, object]:
    for name in parents:
        below = tree.get(name)
        if not isinstance(below, dict):
            below = tree[name] = {}
        tree = below
    return tree


def _merge(tree: dict[str, object], name: str, value: object) -> None:
    present = tree.get(name)
    if isinstance(present, dict) and isinstance(value, dict):
        for inner, item in value.items():
            _merge(present, inner, item)
    else:
        tree[name] = value


def _top_level(raw: object) -> dict[object, object]:
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise ValueError("the top level must be an object")
    return raw


def _parser_for(path: str) -> Callable[[str], object]:
    extension = extension_of(path)
    if extension not in _PARSERS:
        raise ConfigError(f'error reading config file {path}: Unsupported Config Type "{extension}"')
    return _PARSERS[extension]


def _parse_json_file(text: str) -> object:
    if text.startswith("\ufeff"):
        raise json.JSONDecodeError("byte order mark", text, 0)
    return parse_json(text)


_PARSERS: Mapping[str, Callable[[str], object]] = {
    "json": _parse_json_file,
    "toml": tomllib.loads,
    "yaml": load_yaml,
    "yml": load_yaml,
}
