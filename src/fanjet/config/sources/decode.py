"""Decodes untyped values to the types of the tree, by the schema.

What differs between sources, and how strict they are, is in a `Rules`; see `weak` (files, flags) and `strict` (JSON in
environment variables). The result is sparse: a nested dict that holds only what was given. Zero values are left out,
so that the default replaces them (04 §1.3).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fanjet.config.errors import MisfitError
from fanjet.config.redaction import REDACTED, is_secret
from fanjet.config.schema import Group, Key, ValueType

Sparse = dict[str, object]
"""Values by key, nested like the tree, without the keys that nothing was given for."""

Convert = Callable[[object], object]

INT_RANGES = {
    ValueType.INT: (-(2**63), 2**63 - 1),
    ValueType.INT32: (-(2**31), 2**31 - 1),
    ValueType.UINT32: (0, 2**32 - 1),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """How one kind of source writes values.

    `scalars` convert one value or raise MisfitError; integers are checked for their range afterwards.
    `lone_is_list`: a scalar or object where a list belongs stands for a list of one.
    """

    scalars: Mapping[ValueType, Convert]
    lone_is_list: bool


def type_name(value: object) -> str:
    """Name the type of a raw value in messages."""
    names = ((bool, "bool"), (int, "number"), (float, "number"), (str, "string"), (list, "list"), (dict, "object"))
    for kind, name in names:
        if isinstance(value, kind):
            return name
    return "null" if value is None else type(value).__name__


def decode_group(group: Group, raw: object, rules: Rules) -> Sparse:
    """Decode an object with all below it, passing over unknown keys.

    Raises MisfitError with the path inside `raw`.
    """
    if not isinstance(raw, dict):
        raise MisfitError(f"expected an object, got {type_name(raw)}")
    values: Sparse = {}
    for given_name, given in raw.items():
        member = group.members.get(given_name.lower())
        if member is None or given is None:
            continue
        try:
            value = _decode_member(member, given, rules)
        except MisfitError as misfit:
            raise misfit.under(member.name) from None
        if not is_zero(value):
            values[member.name] = value
    return values


def decode_key(key: Key, raw: object, rules: Rules) -> object:
    """Decode the value of one key. Raises MisfitError."""
    if key.item is not None:
        return [_item(key.item, index, item, rules) for index, item in enumerate(_as_list(raw, rules))]
    if key.type is ValueType.STRINGS:
        return [_string(index, item, rules) for index, item in enumerate(_as_list(raw, rules))]
    try:
        value = rules.scalars[key.type](raw)
    except MisfitError:
        raise
    except ValueError as error:
        raise MisfitError(_no_value(key, raw, str(error))) from None
    low, high = INT_RANGES.get(key.type, (0, 0))
    if isinstance(value, int) and key.type in INT_RANGES and not low <= value <= high:
        raise MisfitError(_no_value(key, raw, "value out of range"))
    return value


def is_zero(value: object) -> bool:
    """Whether a decoded value is the zero of its type, which a default replaces.

    Lists and maps never are.
    """
    return not isinstance(value, list | dict) and not value


def _decode_member(member: Group | Key, raw: object, rules: Rules) -> object:
    return decode_group(member, raw, rules) if isinstance(member, Group) else decode_key(member, raw, rules)


def _no_value(key: Key, raw: object, reason: str) -> str:
    if is_secret((key.name,)):
        return f"cannot use {REDACTED} as {key.type.value}"
    return f"cannot use {_shown(raw)} as {key.type.value}: {reason}"


def _shown(raw: object) -> str:
    if isinstance(raw, str):
        return f'"{raw}"'
    if isinstance(raw, bool):
        return str(raw).lower()
    return type_name(raw) if isinstance(raw, list | dict) else str(raw)


def _as_list(raw: object, rules: Rules) -> list[object]:
    if isinstance(raw, list):
        return raw
    if not rules.lone_is_list:
        raise MisfitError(f"expected a list, got {type_name(raw)}")
    return [raw]


def _item(group: Group, index: int, raw: object, rules: Rules) -> Sparse:
    try:
        return decode_group(group, {} if raw is None else raw, rules)
    except MisfitError as misfit:
        raise misfit.under(f"[{index}]") from None


def _string(index: int, raw: object, rules: Rules) -> object:
    try:
        return "" if raw is None else rules.scalars[ValueType.STRING](raw)
    except ValueError as error:
        raise MisfitError(str(error)).under(f"[{index}]") from None
