"""The schema of the configuration (04 §5).

It has all keys with type, default and variable. Everything that reads or writes configuration walks this, so that a key
is declared once, in the tree.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from fanjet.config.tree.base import Kind, Section

Path = tuple[str, ...]

NAMED_LISTS: tuple[Path, ...] = (("channel", "namespaces"), ("rpc", "namespaces"), ("proxies",), ("consumers",))
"""Lists whose items have variables of their own, in the order in which they are read (04 §1.2 step 5)."""


class ValueType(Enum):
    """The types of 04 §2, under the names the reference documentation uses."""

    STRING = "string"
    PEM = "pem"
    BOOL = "bool"
    INT = "int"
    INT32 = "int32"
    UINT32 = "uint32"
    DURATION = "duration"
    STRINGS = "list of strings"
    STRING_MAP = "map of strings"
    KEY_VALUES = "key/value list"
    OBJECTS = "list of objects"


@dataclass(frozen=True, slots=True)
class Key:
    """A key that holds a value. `item` describes the elements of a list of objects."""

    name: str
    type: ValueType
    default: Any
    description: str
    item: "Group | None" = None


@dataclass(frozen=True, slots=True)
class Group:
    """An object of the tree."""

    name: str
    description: str
    members: Mapping[str, "Key | Group"]

    def walk(self, at: Path = ()) -> Iterator[tuple[Path, Key]]:
        """Yield every key below, with its path, lists of objects included but not entered."""
        for name, member in self.members.items():
            if isinstance(member, Group):
                yield from member.walk((*at, name))
            else:
                yield (*at, name), member

    def find(self, path: Path) -> "Key | Group":
        """Return what is at `path`. Raises KeyError."""
        member: Key | Group = self
        for name in path:
            if not isinstance(member, Group):
                raise KeyError(".".join(path))
            member = member.members[name]
        return member


@cache
def group_of(section: type[Section], name: str = "") -> Group:
    """Describe a section of the tree.

    Keys that identify or switch it come first, even if a base class has the rest.
    """
    names = sorted(section.model_fields, key=lambda key: key not in ("name", "enabled", "type"))
    members = {key: _member(key, section.model_fields[key]) for key in names}
    return Group(name, (section.__doc__ or "").strip(), members)


def variable_suffix(path: Path) -> str:
    """Return the name of a key's variable after its prefix.

    Fanjet's own object leaves its name out (04 §1.5.1).
    """
    return "_".join(path[1:] if is_own(path) else path).upper()


def is_own(path: Path) -> bool:
    """Whether the key is Fanjet's own, which has no `CENTRIFUGO_` variable."""
    return path[0] == "fanjet"


def item_slug(name: str) -> str:
    """Return how the name of a list item appears in its variables (04 §1.5.5)."""
    return name.replace(".", "_").replace("-", "_").upper()


def _member(name: str, field: FieldInfo) -> Key | Group:
    annotation: Any = field.annotation
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return group_of(annotation, name)
    item = _item(annotation)
    default = {} if field.default is None else field.default
    value_type = ValueType.OBJECTS if item else _value_type(annotation, field)
    return Key(name, value_type, default, field.description or "", item)


def _item(annotation: Any) -> Group | None:
    if get_origin(annotation) is not tuple:
        return None
    element = get_args(annotation)[0]
    return group_of(element) if issubclass(element, Section) else None


def _value_type(annotation: Any, field: FieldInfo) -> ValueType:
    for mark in field.metadata:
        if isinstance(mark, Kind):
            return ValueType(mark.value)
    if get_origin(annotation) is tuple:
        return ValueType.STRINGS
    plain = {bool: ValueType.BOOL, int: ValueType.INT, str: ValueType.STRING}
    return plain.get(annotation, ValueType.STRING_MAP)
