"""Decodes JSON objects member by member, with keys in any letter case (01 §2.2).

Unknown keys are ignored. msgspec splits an object and decodes the value of each known field, so one document costs a
few microseconds. Documents that this decoder cannot decide are left to `lenient_decoder`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

from msgspec import DecodeError, Raw, Struct, ValidationError, inspect, structs
from msgspec.json import Decoder

from .field_names import FieldNames

T = TypeVar("T", bound=Struct)

MAX_DEPTH: Final = 8
"""Levels of objects. Each level reads the text of all nested ones again, so the depth has to be bounded."""

_NULL: Final = Raw(b"null")
_split_object: Final = Decoder(dict[str, Raw]).decode
_split_array: Final = Decoder(list[Raw]).decode

_Reader = Callable[[Raw, int], Any]
"""Decodes the text of one value at a depth."""


class NeedsLenientDecoder(ValueError):  # noqa: N818 (a signal, not an error)
    """The document needs the lenient decoder.

    It may be malformed, or the order of its members matters.
    """


class _Field(NamedTuple):
    name: str
    read: _Reader
    is_payload: bool
    is_scalar: bool


def decode_members(struct: type[T], document: bytes | Raw, depth: int = 0) -> T:
    """Decode an object.

    Raises `NeedsLenientDecoder`, and `msgspec.DecodeError` for malformed JSON and values of other types.
    """
    if depth >= MAX_DEPTH:
        raise NeedsLenientDecoder("nested too deep")
    fields = _fields_of(struct)
    values: dict[str, Any] = {}
    seen: set[str] = set()
    for key, text in _split_object(document).items():
        field = fields.find(key)
        if field is None:
            continue
        if field.name in seen:
            raise NeedsLenientDecoder(f"two spellings of {field.name}")
        seen.add(field.name)
        if text != _NULL or field.is_payload:
            values[field.name] = field.read(text, depth + 1)
        elif field.is_scalar:
            raise NeedsLenientDecoder(f"{field.name} is null, which leaves an earlier value")
    return struct(**values)


_fields: Final[dict[type[Struct], FieldNames[_Field]]] = {}


def _fields_of(struct: type[Struct]) -> FieldNames[_Field]:
    found = _fields.get(struct)
    if found is None:
        found = _fields[struct] = FieldNames({field.name: _field(field) for field in structs.fields(struct)})
    return found


def _field(field: structs.FieldInfo) -> _Field:
    kind = inspect.type_info(field.type)
    is_payload = isinstance(kind, inspect.RawType)
    is_scalar = isinstance(kind, inspect.StrType | inspect.BoolType | inspect.IntType | inspect.Metadata)
    return _Field(field.name, _reader(field.type, kind), is_payload, is_scalar)


def _reader(annotation: Any, kind: inspect.Type) -> _Reader:
    """Make a reader that lets msgspec decode the whole value.

    It reads the value's objects by members only if that fails.
    """
    decode = Decoder(annotation).decode
    by_members = _reader_by_members(kind)
    if by_members is None:
        return lambda text, depth: decode(text)

    def read(text: Raw, depth: int) -> Any:
        try:
            return decode(text)
        except ValidationError:
            return by_members(text, depth)

    return read


def _reader_by_members(kind: inspect.Type) -> _Reader | None:
    """Make a reader of the objects inside a value; None for values without objects."""
    match kind:
        case inspect.StructType():
            return lambda text, depth: decode_members(kind.cls, text, depth)
        case inspect.ListType():
            read_element = _element_reader(kind.item_type)
            return read_element and (lambda text, depth: [read_element(one, depth) for one in _split_array(text)])
        case inspect.DictType():
            read_value = _element_reader(kind.value_type)
            return read_value and (
                lambda text, depth: {key: read_value(one, depth) for key, one in _split_object(text).items()}
            )
        case inspect.UnionType():
            (inner,) = (one for one in kind.types if not isinstance(one, inspect.NoneType))
            return _reader_by_members(inner)
    return None


def _element_reader(kind: inspect.Type) -> _Reader | None:
    """Make a reader of list elements and map values.

    A null element is left to the lenient decoder.
    """
    read = _reader_by_members(kind)
    if read is None:
        return None

    def read_element(text: Raw, depth: int) -> Any:
        if text == _NULL:
            raise NeedsLenientDecoder("an element is null")
        return read(text, depth)

    return read_element


def unknown_keys(struct: type[Struct], document: bytes) -> list[str]:
    """Return the keys of an object if none of them names a field of `struct`.

    Names match in any letter case. If a key names a field, the list is empty. The list is also empty for a document
    that msgspec cannot split.
    """
    try:
        keys = list(_split_object(document))
    except (DecodeError, RecursionError):
        return []
    fields = _fields_of(struct)
    return [] if any(fields.find(key) for key in keys) else keys
