"""Reads YAML as the contract defines it (04 §1.4).

Words as in YAML 1.2, numbers as in Go, no duplicate keys.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import yaml

from fanjet.config.scalars import parse_int

_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_NULL = re.compile(r"~|null|Null|NULL|")
_INT = re.compile(r"[-+]?[0-9][0-9a-fA-FxXoObB_]*")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9:.Zz+\- ]+)?")


class Loader(yaml.SafeLoader):
    """Resolves plain words as the contract defines them.

    `on`, `yes` and `12:30` stay strings.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build an object; a key that stands there twice is an error."""
        seen: set[str] = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode) and key_node.tag != "tag:yaml.org,2002:merge":
                if key_node.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f'mapping key "{key_node.value}" already defined', key_node.start_mark
                    )
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)


Loader.yaml_implicit_resolvers = {}
"""Replaces what the base class resolves; filled below."""


def load_yaml(text: str) -> object:
    """Parse the first document. Raises yaml.YAMLError or ValueError."""
    return next(yaml.load_all(text, Loader), None)


def _number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> object:
    """Convert a plain word that starts like a number.

    The result is an integer in Go's syntax, else a float, else a string.
    """
    text = loader.construct_scalar(node)
    plain = text.replace("_", "")
    try:
        return parse_int(plain)
    except ValueError:
        return float(plain) if _FLOAT.fullmatch(plain) else text


def _special_float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    return float(loader.construct_scalar(node).replace(".", "").lower())


def _moment(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> object:
    text = loader.construct_scalar(node)
    year, month, day = re.split(r"[Tt ]", text)[0].split("-")
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return text


class Dumper(yaml.SafeDumper):
    """Quotes every string that `Loader` would not read as a string."""


_WORDS: tuple[tuple[str, str, Callable[..., object] | None], ...] = (
    ("bool", _BOOL.pattern, None),
    ("null", _NULL.pattern, None),
    ("merge", "<<", None),
    ("timestamp", _DATE.pattern, _moment),
    ("int", f"{_INT.pattern}|{_FLOAT.pattern}", _number),
    ("float", _SPECIAL_FLOAT.pattern, _special_float),
)

for _kind, _pattern, _construct in _WORDS:
    _tag = f"tag:yaml.org,2002:{_kind}"
    for _resolver in (Loader, Dumper):
        _resolver.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), None)
    if _construct is not None:
        Loader.add_constructor(_tag, _construct)
