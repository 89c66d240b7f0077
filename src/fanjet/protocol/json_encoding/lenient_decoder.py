"""Decodes JSON that the contract accepts but msgspec refuses.

See 01 §2.2, §2.4; 05 §2.5. `null` for a scalar, lone surrogates, nesting of thousands of levels, integers past 2^63 and
keys in several spellings are legal on the wire. This decoder fills the same msgspec structs and keeps payloads as
written. It takes about 50 times as long as msgspec, so it only gets documents that the other decoders refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

from msgspec import Raw, Struct, inspect, structs

from .field_names import FieldNames
from .scan import MalformedJSON, match_integer, match_key, match_string, require_utf8, skip_space, skip_value

T = TypeVar("T", bound=Struct)

MAX_TYPED_DEPTH: Final = 200
"""Levels decoded into structs; deeper values count as null. Only filter nodes nest, with a much lower limit."""

_half_surrogate = re.compile("[\ud800-\udfff]")

_Reader = Callable[[bytes, int, int], tuple[Any, int]]
"""Reads the value at an offset and depth; returns it and its end."""


def decode(data: bytes, into: type[T]) -> T:
    """Decode the only JSON document in `data`; a top-level `null` is an empty object.

    Raises `MalformedJSON`.
    """
    require_utf8(data)
    value, end = decode_first(data, 0, into)
    if end != len(data):
        raise MalformedJSON("text after the document")
    return value


def decode_first(data: bytes, start: int, into: type[T]) -> tuple[T, int]:
    """Decode the first document at or after `start`.

    Returns it and the offset of the next token. All of `data` must be UTF-8; this is not checked. Raises
    `MalformedJSON`.
    """
    value, end = _nullable(_struct_reader(into), into)(data, skip_space(data, start), 0)
    return value, skip_space(data, end)


def decode_string(data: bytes) -> str:
    """Decode the only JSON string in `data`; `null` is an empty string.

    Raises `MalformedJSON`.
    """
    require_utf8(data)
    text, end = _nullable(_read_string, str)(data, skip_space(data, 0), 0)
    if skip_space(data, end) != len(data):
        raise MalformedJSON("text after the string")
    return str(text)


# ------------------------------------------------------------------------------------------------- plain values


def _read_string(data: bytes, at: int, depth: int) -> tuple[str, int]:
    found = match_string(data, at)
    if not found:
        raise MalformedJSON(f"no string at byte {at}")
    return _unescape(found.group()), found.end()


def _unescape(literal: bytes) -> str:
    if b"\\" not in literal:
        return literal[1:-1].decode()
    text: str = json.loads(literal)
    return _half_surrogate.sub("\ufffd", text)


def _read_bool(data: bytes, at: int, depth: int) -> tuple[bool, int]:
    if data.startswith(b"true", at):
        return True, at + 4
    if data.startswith(b"false", at):
        return False, at + 5
    raise MalformedJSON(f"no boolean at byte {at}")


def _read_payload(data: bytes, at: int, depth: int) -> tuple[Raw, int]:
    end = skip_value(data, at, depth)
    return Raw(data[at:end]), end


def _integer_reader(info: inspect.IntType) -> _Reader:
    """Make a reader of integers.

    msgspec has no bounds past 2^63 - 1: an unsigned type with that bound, or with none, has 64 bits.
    """
    unsigned = info.ge == 0
    low = -(2**63) if info.ge is None else info.ge
    high = 2**64 - 1 if unsigned else 2**63 - 1
    if info.le is not None and info.le < 2**63 - 1:
        high = info.le

    def read(data: bytes, at: int, depth: int) -> tuple[int, int]:
        found = match_integer(data, at)
        if not found or found.end() - at > 20 or (unsigned and data.startswith(b"-", at)):
            raise MalformedJSON(f"no such integer at byte {at}")
        value = int(found.group())
        if not low <= value <= high:
            raise MalformedJSON(f"integer out of range at byte {at}")
        return value, found.end()

    return read


def _nullable(read: _Reader, zero: Callable[[], Any]) -> _Reader:
    """Make a reader that returns the zero value for `null`."""

    def read_or_zero(data: bytes, at: int, depth: int) -> tuple[Any, int]:
        if data.startswith(b"null", at):
            return zero(), at + 4
        return read(data, at, depth)

    return read_or_zero


# ------------------------------------------------------------------------------------------------- containers


def _next_or_end(data: bytes, at: int, closer: bytes) -> tuple[bool, int]:
    """Read the separator after an element.

    Returns whether another one follows, and the next offset.
    """
    at = skip_space(data, at)
    if data.startswith(b",", at):
        return True, skip_space(data, at + 1)
    if not data.startswith(closer, at):
        raise MalformedJSON(f"no comma and no end at byte {at}")
    return False, at + 1


def _read_elements(data: bytes, at: int, on_element: Callable[[int], int]) -> int:
    """Read an array.

    `on_element` receives the offset of each element and returns its end.
    """
    if not data.startswith(b"[", at):
        raise MalformedJSON(f"no array at byte {at}")
    at = skip_space(data, at + 1)
    if data.startswith(b"]", at):
        return at + 1
    more = True
    while more:
        more, at = _next_or_end(data, on_element(at), b"]")
    return at


def _read_members(data: bytes, at: int, on_member: Callable[[str, int], int]) -> int:
    """Read an object member by member.

    `on_member` gets each key and the offset of its value, and returns the value's end.
    """
    if not data.startswith(b"{", at):
        raise MalformedJSON(f"no object at byte {at}")
    at = skip_space(data, at + 1)
    if data.startswith(b"}", at):
        return at + 1
    more = True
    while more:
        key = match_key(data, at)
        if not key:
            raise MalformedJSON(f"no key at byte {at}")
        more, at = _next_or_end(data, on_member(_unescape(key.group(1)), key.end()), b"}")
    return at


def _list_reader(read_element: _Reader) -> _Reader:
    def read(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
        elements: list[Any] = []

        def on_element(start: int) -> int:
            element, end = read_element(data, start, depth + 1)
            elements.append(element)
            return end

        return elements, _read_elements(data, at, on_element)

    return read


def _dict_reader(read_value: _Reader) -> _Reader:
    def read(data: bytes, at: int, depth: int) -> tuple[dict[str, Any], int]:
        items: dict[str, Any] = {}

        def on_member(key: str, start: int) -> int:
            items[key], end = read_value(data, start, depth + 1)
            return end

        return items, _read_members(data, at, on_member)

    return read


class _Field(NamedTuple):
    name: str
    read: _Reader
    is_scalar: bool


_struct_readers: dict[type[Struct], _Reader] = {}


def _struct_reader(struct: type[Struct]) -> _Reader:
    if struct in _struct_readers:
        return _struct_readers[struct]
    fields: dict[str, _Field] = {}

    def read(data: bytes, at: int, depth: int) -> tuple[Struct | None, int]:
        if depth > MAX_TYPED_DEPTH:
            return None, skip_value(data, at, depth)
        values: dict[str, Any] = {}

        def on_member(key: str, start: int) -> int:
            field = names.find(key)
            if field is None:
                return skip_value(data, start, depth + 1)
            if field.read is not _read_payload and data.startswith(b"null", start):
                if not field.is_scalar:  # null resets a container and leaves a scalar
                    values.pop(field.name, None)
                return start + 4
            values[field.name], end = field.read(data, start, depth + 1)
            return end

        end = _read_members(data, at, on_member)
        return struct(**values), end

    _struct_readers[struct] = read  # before the fields: a struct may contain itself
    for field in structs.fields(struct):
        info = inspect.type_info(field.type)
        fields[field.name] = _Field(field.name, _reader_of(info), isinstance(info, _SCALAR_TYPES))
    names = FieldNames(fields)
    return read


_SIMPLE_READERS: Final[dict[type[inspect.Type], _Reader]] = {
    inspect.StrType: _read_string,
    inspect.BoolType: _read_bool,
    inspect.RawType: _read_payload,
}


_SCALAR_TYPES: Final = (inspect.StrType, inspect.BoolType, inspect.IntType, inspect.Metadata)


def _reader_of(info: inspect.Type) -> _Reader:
    match info:
        case inspect.IntType():
            return _integer_reader(info)
        case inspect.ListType():
            return _list_reader(_element_reader(info.item_type))
        case inspect.DictType():
            return _dict_reader(_element_reader(info.value_type))
        case inspect.StructType():
            return _struct_reader(info.cls)
        case inspect.Metadata():
            return _reader_of(info.type)
        case inspect.UnionType():
            (inner,) = (one for one in info.types if not isinstance(one, inspect.NoneType))
            return _reader_of(inner)
    return _SIMPLE_READERS[type(info)]


_ZEROS: Final[dict[type[inspect.Type], Callable[[], Any]]] = {
    inspect.StrType: str,
    inspect.RawType: lambda: Raw(b"null"),
    inspect.UnionType: lambda: None,
}


def _element_reader(info: inspect.Type) -> _Reader:
    """Make a reader of list elements or map values.

    `null` is the zero value of the type.
    """
    zero = info.cls if isinstance(info, inspect.StructType) else _ZEROS[type(info)]
    return _nullable(_reader_of(info), zero)
