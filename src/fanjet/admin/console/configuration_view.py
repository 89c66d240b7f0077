"""The resolved configuration with masked secrets (10 I.4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fanjet.config.duration import format_duration
from fanjet.config.redaction import is_secret
from fanjet.config.schema import Group, Key, Path, ValueType, group_of, is_own, variable_suffix
from fanjet.config.tree.root import Config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanjet.config import Loaded

MASKED: Final = "••••••"

_ADDRESSES: Final = frozenset(
    (
        "address", "cluster_address", "connection_string", "dsn", "endpoint", "notify_dsn",
        "partition_notification_dsn", "sentinel_address", "url",
    )
)  # fmt: skip
"""Secret keys whose values are shown without the credentials in them."""
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@\s]*@|(?<=password=)[^\s&]+|(?<=sslpassword=)[^\s&]+", re.IGNORECASE)


def configuration_view(loaded: Loaded, environment: Mapping[str, str]) -> dict[str, Any]:
    """The tree of fields of I.4.

    `origin` is the source of a value: `default`, `file`, `environment` or `flag`.
    """
    origins = _Origins(loaded, environment)
    return {
        "fields": _fields(loaded.config, group_of(Config), (), origins),
        "file": loaded.path if loaded.file_found else "",
    }


class _Origins:
    """Finds the source of a value.

    Of all sources that set it, this is the one with the highest precedence.
    """

    def __init__(self, loaded: Loaded, environment: Mapping[str, str]) -> None:
        self._flags = set(loaded.flags)
        self._environment = environment

    def of(self, path: Path, *, overridden: bool) -> tuple[str, str]:
        """The origin, and the environment variable that sets this value."""
        suffix = variable_suffix(path)
        if ".".join(path) in self._flags:
            return "flag", f"FANJET_{suffix}"
        for prefix in ("FANJET_",) if is_own(path) else ("FANJET_", "CENTRIFUGO_"):
            if self._environment.get(prefix + suffix):
                return "environment", prefix + suffix
        return ("file" if overridden else "default"), f"FANJET_{suffix}"


def _fields(section: Any, group: Group, path_prefix: Path, origins: _Origins) -> list[dict[str, Any]]:
    return [
        _field(getattr(section, name), member, (*path_prefix, name), origins) for name, member in group.members.items()
    ]


def _field(value: Any, member: Key | Group, path: Path, origins: _Origins) -> dict[str, Any]:
    if isinstance(member, Group):
        children = _fields(value, member, path, origins)
        return {
            "key": member.name,
            "kind": "object",
            "children": children,
            "overridden": any(child["overridden"] for child in children),
            "doc": {"description": member.description},
        }
    overridden = value != member.default
    origin, variable = origins.of(path, overridden=overridden)
    field = {
        "key": member.name,
        "overridden": overridden,
        "origin": origin,
        "doc": {
            "description": member.description,
            "type": member.type.value,
            "default": _default_text(member, member.default),
            "env": variable,
        },
    }
    if member.item is not None:
        items = [_item(each, member.item, path, origins) for each in value]
        return field | {"kind": "array", "items": items}
    return field | _display(member, value, path)


def _item(item: Any, group: Group, path: Path, origins: _Origins) -> dict[str, Any]:
    children = _fields(item, group, path, origins)
    for child in children:
        child.pop("origin", None)  # an item has the origin of its list
    return {"key": getattr(item, "name", ""), "kind": "object", "children": children, "overridden": True}


def _display(member: Key, value: Any, path: Path) -> dict[str, Any]:
    if path[-1] in _ADDRESSES:
        texts = [value] if isinstance(value, str) else value
        return {"kind": "url", "set": bool(value), "display": " ".join(map(_without_credentials, texts))}
    if is_secret(path) or member.type is ValueType.PEM:
        return {"kind": "secret", "set": bool(value), "display": MASKED if value else ""}
    if member.type is ValueType.DURATION:
        return {"kind": "number", "value": value, "human": format_duration(value)}
    if isinstance(value, bool):
        return {"kind": "bool", "value": value}
    if isinstance(value, int | float):
        return {"kind": "number", "value": value}
    if isinstance(value, str):
        return {"kind": "string", "value": value}
    if isinstance(value, tuple):
        return {"kind": "array", "items": [{"key": "", "kind": "string", "value": str(each)} for each in value]}
    return {
        "kind": "object",
        "children": [
            {"key": name, "kind": "string", "value": text, "overridden": True} for name, text in value.items()
        ],
    }


def _without_credentials(address: str) -> str:
    return _CREDENTIALS.sub(lambda found: MASKED + "@" * found[0].endswith("@"), address)


def _default_text(member: Key, value: Any) -> str:
    if member.type is ValueType.DURATION:
        return format_duration(value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | str) else ""
