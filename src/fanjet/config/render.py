"""Writes the configuration as a tree or as environment variables.

The tree is for files (04 §7.4, §7.5).
"""

import json
from collections.abc import Iterator, Mapping

from fanjet.config.duration import format_duration
from fanjet.config.schema import NAMED_LISTS, Group, Key, Path, ValueType, group_of, item_slug, variable_suffix
from fanjet.config.sources.environment import PREFIX
from fanjet.config.tree.base import Section
from fanjet.config.tree.root import Config

OMITTED: frozenset[Path] = frozenset({("broker", "redisnats")})
"""Objects that are read but never used."""

Tree = dict[str, object]


def plain_tree(config: Config) -> Tree:
    """Return the whole configuration as a file would write it.

    Loading it gives the same configuration.
    """
    return _plain_section(config, group_of(Config), (), inside_list=False)


def environment_variables(config: Config) -> dict[str, str]:
    """Return every variable with its value as `defaultenv` prints it.

    Items of named lists are included.
    """
    return dict(_variables(config, group_of(Config), ()))


def variable_text(key: Key, value: object) -> str:
    """Return a value in the syntax of `defaultenv`.

    Texts are quoted; numbers, booleans and durations are bare.
    """
    if key.type is ValueType.DURATION:
        return format_duration(_number(value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if key.type is ValueType.STRINGS:
        return f'"{" ".join(_texts(value))}"'
    if key.type in (ValueType.STRING_MAP, ValueType.KEY_VALUES, ValueType.OBJECTS):
        # a variable's JSON keeps the case of keys, so a map is always an object here
        content = dict(value) if isinstance(value, Mapping) else _plain_value(key, value, True)
        compact = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        escaped = compact.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return f'"{value}"'


def _variables(section: Section, group: Group, at: Path) -> Iterator[tuple[str, str]]:
    """Yield names and values below `section`.

    `at` is the path in names, the slug of an item included.
    """
    for path, key in group.walk():
        name = PREFIX + variable_suffix((*at, *path))
        value = _get(section, path)
        if path in NAMED_LISTS and not at and key.item is not None:
            items = _items(value)
            yield name, f'"{" ".join(getattr(item, "name", "") for item in items)}"'
            for item in items:
                yield from _variables(item, key.item, (*path, item_slug(getattr(item, "name", ""))))
        else:
            yield name, variable_text(key, value)


def _plain_section(section: Section, group: Group, at: Path, *, inside_list: bool) -> Tree:
    tree: Tree = {}
    for name, member in group.members.items():
        value = getattr(section, name)
        if isinstance(member, Key):
            tree[name] = _plain_value(member, value, inside_list)
        elif (*at, name) not in OMITTED:
            tree[name] = _plain_section(value, member, (*at, name), inside_list=inside_list)
    return tree


def _plain_value(key: Key, value: object, inside_list: bool) -> object:
    if key.type is ValueType.DURATION:
        return format_duration(_number(value))
    if key.item is not None:
        return [_plain_section(item, key.item, (), inside_list=True) for item in _items(value)]
    if key.type is ValueType.STRINGS:
        return list(_texts(value)) or ([] if key.default else None)
    if isinstance(value, Mapping):
        return _key_values(value) if key.type is ValueType.KEY_VALUES else _plain_map(value, inside_list)
    return value


def _plain_map(values: Mapping[str, str], inside_list: bool) -> object:
    """An object, unless its keys would not survive being read (04 §2.2)."""
    survives = all(name == name.lower() and (inside_list or "." not in name) for name in values)
    return dict(values) if survives else _key_values(values)


def _key_values(values: Mapping[str, str]) -> list[object]:
    return [{"key": name, "value": value} for name, value in values.items()]


def _get(section: Section, path: Path) -> object:
    value: object = section
    for name in path:
        value = getattr(value, name)
    return value


def _items(value: object) -> tuple[Section, ...]:
    return value if isinstance(value, tuple) else ()


def _texts(value: object) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0.0
