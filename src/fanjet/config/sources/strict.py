"""The exact rules of JSON in environment variables (04 §1.5.3, §1.5.4)."""

import json

from fanjet.config.duration import nanoseconds_to_seconds, parse_duration
from fanjet.config.scalars import clean_text
from fanjet.config.schema import Key, ValueType
from fanjet.config.sources.decode import Rules, decode_key, type_name
from fanjet.config.sources.weak import map_of_list


def parse_json(text: str) -> object:
    """Parse strict JSON. Raises ValueError."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def decode_json_list(key: Key, text: str) -> object:
    """Decode the JSON array that replaces a list of objects. Raises ValueError."""
    raw = parse_json(text)
    return [] if raw is None else decode_key(key, raw, STRICT)


def string_map_of_json(text: str) -> dict[str, str]:
    """Decode a JSON object of strings; keys keep their case. Raises ValueError."""
    raw = parse_json(text)
    return {} if raw is None else to_string_map(raw)


def to_string(raw: object) -> str:
    """A JSON string."""
    if not isinstance(raw, str):
        raise ValueError(f"expected a string, got {type_name(raw)}")
    return clean_text(raw)


def to_bool(raw: object) -> bool:
    """A JSON boolean."""
    if not isinstance(raw, bool):
        raise ValueError(f"expected a boolean, got {type_name(raw)}")
    return raw


def to_int(raw: object) -> int:
    """A JSON number without fraction and exponent."""
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise ValueError(f"expected an integer, got {type_name(raw)}")
    return raw


def to_duration(raw: object) -> float:
    """Text with units, or an integer of nanoseconds. Returns seconds."""
    return parse_duration(raw) if isinstance(raw, str) else nanoseconds_to_seconds(to_int(raw))


def to_string_map(raw: object) -> dict[str, str]:
    """A JSON object of strings."""
    if not isinstance(raw, dict):
        raise ValueError(f"expected an object, got {type_name(raw)}")
    return {clean_text(name): "" if value is None else to_string(value) for name, value in raw.items()}


def to_key_values(raw: object) -> dict[str, str]:
    """A JSON object of strings, or a list of `{key, value}` objects."""
    return map_of_list(raw) if isinstance(raw, list) else to_string_map(raw)


def key_values_of_json(text: str) -> dict[str, str]:
    """Decode a key/value list. Raises ValueError."""
    raw = parse_json(text)
    return {} if raw is None else to_key_values(raw)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


STRICT = Rules(
    {
        ValueType.STRING: to_string,
        ValueType.PEM: to_string,
        ValueType.BOOL: to_bool,
        ValueType.INT: to_int,
        ValueType.INT32: to_int,
        ValueType.UINT32: to_int,
        ValueType.DURATION: to_duration,
        ValueType.STRING_MAP: to_string_map,
        ValueType.KEY_VALUES: to_key_values,
    },
    lone_is_list=False,
)
