"""Messages for tests: random ones of every type, and the same by other hands than the codecs'."""

import json
from typing import Any

from hypothesis import strategies as st
from msgspec import Raw, Struct

from fanjet.protocol.messages import FilterNode, Result
from fanjet.protocol.publication import Publication
from fanjet.protocol.schema import PUSH_FIELDS, RESULT_FIELDS, SCHEMA, Field, Scalar, Shape

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXTS, values, max_size=3),
    max_leaves=5,
)
PAYLOADS = st.builds(
    lambda value, indent: json.dumps(value, indent=indent).encode(), JSON_VALUES, st.sampled_from([None, 1])
)
LINES = PAYLOADS.map(lambda payload: payload.replace(b"\n", b" "))

_SCALARS: dict[Scalar, st.SearchStrategy[Any]] = {
    Scalar.BOOL: st.booleans(),
    Scalar.INT32: st.integers(-(2**31), 2**31 - 1),
    Scalar.INT64: st.integers(-(2**63), 2**63 - 1),
    Scalar.UINT32: st.integers(0, 2**32 - 1),
    Scalar.UINT64: st.integers(0, 2**64 - 1),
    Scalar.SINT64: st.integers(-(2**63), 2**63 - 1),
    Scalar.STRING: TEXTS,
}


def any_message(message: type[Struct], *, incoming: bool, depth: int = 0) -> st.SearchStrategy[Any]:
    """Return a strategy for messages of this type, payloads being JSON, on one line when incoming."""
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for field in SCHEMA[message]:
        if field.kind is FilterNode and depth > 3:
            continue
        fields[field.name] = _any_field(field, incoming=incoming, depth=depth)
    return st.builds(message, **fields)


def _any_field(field: Field, *, incoming: bool, depth: int) -> st.SearchStrategy[Any]:
    if field.kind is Scalar.BYTES:
        values: Any = (LINES if incoming else PAYLOADS).map(Raw if incoming else bytes)
    elif isinstance(field.kind, Scalar):
        values = _SCALARS[field.kind]
    else:
        values = any_message(field.kind, incoming=incoming, depth=depth + 1)
    if field.shape is Shape.LIST:
        return st.lists(values, max_size=2)
    if field.shape is Shape.MAP:
        return st.dictionaries(TEXTS, values, max_size=2)
    if isinstance(field.kind, Scalar) or field.name == "info" or field.always:
        return values  # type: ignore[no-any-return]
    return st.none() | values


RESULTS: st.SearchStrategy[Result] = st.one_of([any_message(message, incoming=False) for message in RESULT_FIELDS])
PUSHES = st.one_of([any_message(message, incoming=False) for message in PUSH_FIELDS])
PUBLICATIONS: st.SearchStrategy[Publication] = any_message(Publication, incoming=False)


def as_json(message: Struct) -> str:
    """Return the JSON text of a message, zero values included, payloads as they are."""
    members = []
    for field in SCHEMA[type(message)]:
        value = getattr(message, field.name)
        if value is None or (field.kind is Scalar.BYTES and not bytes(value)):
            continue
        members.append(f"{json.dumps(field.name)}:{_as_json(field, value)}")
    return "{" + ",".join(members) + "}"


def _as_json(field: Field, value: Any) -> str:
    def one(item: Any) -> str:
        if field.kind is Scalar.BYTES:
            return bytes(item).decode()
        return json.dumps(item) if isinstance(field.kind, Scalar) else as_json(item)

    if field.shape is Shape.LIST:
        return "[" + ",".join(map(one, value)) + "]"
    if field.shape is Shape.MAP:
        return "{" + ",".join(f"{json.dumps(key)}:{one(item)}" for key, item in value.items()) + "}"
    return one(value)


def without_zeros(message: Struct) -> dict[str, Any]:
    """Return what a message looks like after parsing its JSON: zero fields only where they always appear (01 §2.2)."""
    members: dict[str, Any] = {}
    for field in SCHEMA[type(message)]:
        value = getattr(message, field.name)
        if value or field.always:
            members[field.name] = json.loads(_as_json_without_zeros(field, value))
    return members


def _as_json_without_zeros(field: Field, value: Any) -> str:
    if isinstance(field.kind, Scalar):
        return _as_json(field, value)
    if field.shape is Shape.LIST:
        return json.dumps([without_zeros(item) for item in value])
    if field.shape is Shape.MAP:
        return json.dumps({key: without_zeros(item) for key, item in value.items()})
    return json.dumps(without_zeros(value))


def fill(target: Any, message: Struct) -> Any:
    """Copy a message into one of the oracle's, which is returned."""
    target.SetInParent()
    for field in SCHEMA[type(message)]:
        value = getattr(message, field.name)
        if value is None:
            continue
        if field.shape is Shape.LIST and isinstance(field.kind, Scalar):
            getattr(target, field.name).extend(value)
        elif field.shape is Shape.LIST:
            for item in value:
                fill(getattr(target, field.name).add(), item)
        elif field.shape is Shape.MAP and isinstance(field.kind, Scalar):
            getattr(target, field.name).update(value)
        elif field.shape is Shape.MAP:
            for key, item in value.items():
                fill(getattr(target, field.name)[key], item)
        elif isinstance(field.kind, Scalar):
            setattr(target, field.name, bytes(value) if field.kind is Scalar.BYTES else value)
        else:
            fill(getattr(target, field.name), value)
    return target
