"""Reads the configuration from environment variables (04 §1.5).

One variable per key, two prefixes, variables for the items of named lists.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import cast

from fanjet.config.duration import parse_duration
from fanjet.config.errors import ConfigError
from fanjet.config.redaction import REDACTED, is_secret
from fanjet.config.scalars import clean_text, parse_bool, parse_int
from fanjet.config.schema import NAMED_LISTS, Group, Key, Path, ValueType, is_own, item_slug, variable_suffix
from fanjet.config.sources.decode import INT_RANGES, Sparse
from fanjet.config.sources.references import expand_references
from fanjet.config.sources.strict import decode_json_list, key_values_of_json, string_map_of_json

PREFIX = "FANJET_"
FALLBACK_PREFIX = "CENTRIFUGO_"

_SERVICE = re.compile(r"(CENTRIFUGO|FANJET)(?:_[A-Z0-9_]+)?_(PORT|SERVICE_)")
"""What Kubernetes injects for a service of that name."""
_FREE = re.compile(r"(CENTRIFUGO|FANJET)_VAR_")
"""Variables for references in maps."""

_LIST_PREFIXES = ("env namespaces", "env rpc namespaces", "env named proxies", "env consumers")


@dataclass(slots=True)
class Environment:
    """The variables of a process, and which of them turned out to be keys."""

    variables: Mapping[str, str]
    known: set[str] = field(default_factory=set)

    def lookup(self, path: Path) -> tuple[str, str] | None:
        """Return name and value of the variable that sets the key at `path`.

        An empty variable counts as none.
        """
        suffix = variable_suffix(path)
        prefixes = (PREFIX,) if is_own(path) else (PREFIX, FALLBACK_PREFIX)
        names = [prefix + suffix for prefix in prefixes]
        self.known.update(names)
        return next(((name, self.variables[name]) for name in names if self.variables.get(name)), None)

    def apply(self, group: Group, values: Sparse, skip: Collection[Path]) -> None:
        """Overlay `values` with all variables but those of the keys in `skip`.

        Raises ConfigError.
        """
        for path, key in group.walk():
            found = self.lookup(path)
            if found is not None and path not in skip:
                _set(values, path, self._convert(key, path, found, _present(values, path), "env"))
        for path, prefix in zip(NAMED_LISTS, _LIST_PREFIXES, strict=True):
            key = cast("Key", group.find(path))
            self._apply_to_items(key, path, _present(values, path), prefix)

    def unknown(self) -> list[str]:
        """Return the variables with our prefixes that set nothing, sorted."""
        ours = (name for name in self.variables if name.startswith((PREFIX, FALLBACK_PREFIX)))
        return sorted(name for name in ours if not (name in self.known or _FREE.match(name) or _SERVICE.match(name)))

    def _apply_to_items(self, key: Key, path: Path, items: list[Sparse], prefix: str) -> None:
        for item in items:
            name = item.get("name")
            if key.item is None or not isinstance(name, str):
                continue
            for inner, item_key in key.item.walk():
                found = self.lookup((*path, item_slug(name), *inner))
                if found is not None:
                    _set(item, inner, self._convert(item_key, inner, found, [], prefix))

    def _convert(self, key: Key, path: Path, found: tuple[str, str], present: list[Sparse], prefix: str) -> object:
        name, value = found
        try:
            return self._value(key, path, value, present)
        except ValueError as error:
            secret = is_secret(path)
            shown = REDACTED if secret else clean_text(value)
            reason = "invalid value" if secret and key.item is None else error  # of a list it names no secret
            raise ConfigError(
                f"error processing {prefix}: envconfig.Process: assigning {name} to {path[-1].upper()}: "
                f"converting '{shown}' to type {key.type.value}. details: {reason}"
            ) from None

    def _value(self, key: Key, path: Path, value: str, present: list[Sparse]) -> object:
        if key.type is ValueType.OBJECTS and not _is_json_array(value) and path in NAMED_LISTS:
            return [*present, *({"name": clean_text(name)} for name in value.split(" "))]
        if key.type is ValueType.OBJECTS:
            return decode_json_list(key, value)
        if key.type is ValueType.STRING_MAP:
            return expand_references(string_map_of_json(value), self.variables)
        if key.type is ValueType.KEY_VALUES:
            return expand_references(key_values_of_json(value), self.variables)
        if key.type in INT_RANGES:
            return _int(key, value)
        return _SIMPLE[key.type](value)


def _int(key: Key, text: str) -> int:
    number = parse_int(text)
    low, high = INT_RANGES[key.type]
    if not low <= number <= high:
        raise ValueError("value out of range")
    return number


def _strings(text: str) -> list[str]:
    return clean_text(text).split(" ") if text.strip() else []


_SIMPLE: Mapping[ValueType, Callable[[str], object]] = {
    ValueType.STRING: clean_text,
    ValueType.PEM: clean_text,
    ValueType.BOOL: parse_bool,
    ValueType.DURATION: parse_duration,
    ValueType.STRINGS: _strings,
}


def _is_json_array(text: str) -> bool:
    return text.startswith("[") and text.endswith("]")


def _present(values: Sparse, path: Path) -> list[Sparse]:
    """Return the list of objects at `path`, or an empty one."""
    value: object = values
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, list) else []


def _set(values: Sparse, path: Path, value: object) -> None:
    *parents, name = path
    for parent in parents:
        values = cast("Sparse", values.setdefault(parent, {}))
    values[name] = value
