"""The forgiving rules of files and flags (04 §1.4)."""

import math
from collections.abc import Mapping

from fanjet.config.duration import nanoseconds_to_seconds, parse_duration
from fanjet.config.errors import MisfitError
from fanjet.config.scalars import number_text, parse_bool, parse_int
from fanjet.config.schema import ValueType
from fanjet.config.sources.decode import Rules, type_name
from fanjet.config.sources.references import expand_references


def weak_rules(variables: Mapping[str, str]) -> Rules:
    """Return the rules of weak conversion.

    `variables`: the variables that `${..._VAR_...}` references in maps may name.
    """
    scalars = {
        ValueType.STRING: to_string,
        ValueType.PEM: to_string,
        ValueType.BOOL: to_bool,
        ValueType.INT: to_int,
        ValueType.INT32: to_int,
        ValueType.UINT32: to_int,
        ValueType.DURATION: to_duration,
        ValueType.STRING_MAP: lambda raw: expand_references(to_string_map(raw), variables),
        ValueType.KEY_VALUES: lambda raw: expand_references(to_key_values(raw), variables),
    }
    return Rules(scalars, lone_is_list=True)


def to_string(raw: object) -> str:
    """A string, a number in its shortest form, or a boolean as `1` or `0`."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, bool):
        return str(int(raw))
    if isinstance(raw, int | float):
        return number_text(raw)
    raise ValueError(f"expected a string, got {type_name(raw)}")


def to_bool(raw: object) -> bool:
    """Convert a boolean, a number or a text to a boolean.

    The number 0 is false. The text is one of those of 04 §1.5.3; the empty text is false.
    """
    if isinstance(raw, bool | int | float):
        return bool(raw)
    if isinstance(raw, str):
        return raw != "" and parse_bool(raw)
    raise ValueError(f"expected a boolean, got {type_name(raw)}")


def to_int(raw: object) -> int:
    """Convert a number, a boolean or an integer's text to an integer.

    A number is cut at the point; the empty text is 0.
    """
    if isinstance(raw, int):
        return int(raw)
    if isinstance(raw, float):
        if not math.isfinite(raw):
            raise ValueError("not a finite number")
        return int(raw)
    if isinstance(raw, str):
        return parse_int(raw) if raw else 0
    raise ValueError(f"expected a number, got {type_name(raw)}")


def to_duration(raw: object) -> float:
    """Text with units, or a bare number of nanoseconds. Returns seconds."""
    if isinstance(raw, str):
        return parse_duration(raw)
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise ValueError(f"expected a duration such as 10s, got {type_name(raw)}")
    return nanoseconds_to_seconds(to_int(raw))


def to_string_map(raw: object) -> dict[str, str]:
    """Convert an object of strings, or a list of `{key, value}` objects, to a map.

    The list keeps the case of keys (04 §2.2).
    """
    if isinstance(raw, dict):
        return {name: _map_value(name, value) for name, value in raw.items()}
    if isinstance(raw, list):
        return map_of_list(raw)
    raise MisfitError(f"unsupported type {type_name(raw)} for MapStringString")


def to_key_values(raw: object) -> dict[str, str]:
    """Convert a list of `{key, value}` objects.

    An object would not keep the case of its keys (04 §2.3).
    """
    if isinstance(raw, list):
        return map_of_list(raw)
    raise MisfitError(f"expected a list of {{key, value}} objects, got {type_name(raw)}")


def _map_value(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise MisfitError(f'expected string value for key "{name}", got {type_name(value)}')
    return value


def map_of_list(raw: list[object]) -> dict[str, str]:
    """Take the objects of a list together. Raises MisfitError."""
    values: dict[str, str] = {}
    for index, element in enumerate(raw):
        if not isinstance(element, dict):
            raise MisfitError(f"expected map for element {index}, got {type_name(element)}")
        name, value = element.get("key"), element.get("value")
        if not isinstance(name, str):
            raise MisfitError(f"missing or invalid key in element {index}")
        if not isinstance(value, str):
            raise MisfitError(f"missing or invalid value in element {index}")
        if name in values:
            raise MisfitError(f'duplicate key "{name}" at element {index}')
        values[name] = value
    return values
