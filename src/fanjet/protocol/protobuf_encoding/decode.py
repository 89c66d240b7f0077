"""Decodes Protobuf messages into structs, by `schema` and 01 §2.3.

Protobuf libraries treat a known field with the wrong wire type as unknown; the contract rejects the message.
"""

from collections.abc import Callable
from typing import Any, Final

from msgspec import Raw, Struct, structs

from ..codec import MalformedFrame
from ..messages import Command, ConnectRequest, EmulationRequest, FilterNode
from ..schema import MAX_FILTER_DEPTH, SCHEMA, Field, Scalar, Shape
from .wire import LENGTH, VARINT, read_varint, skip_field

Values = dict[str, Any]
_ReadInto = Callable[[Values, bytes, int, int, int], None]
"""Adds a field, `data[start:end]`, to the values of its message. The last argument is the depth in a tags filter."""
_ReadValue = Callable[[bytes, int, int, int], Any]

_NUMBER_MASK: Final = 2**35 - 1
"""A field number has 32 bits, its wire type 3. Wider tags are truncated, like all integers."""


def _cut(bits: int) -> Callable[[int], int]:
    mask = 2**bits - 1
    return lambda number: number & mask


def _cut_signed(bits: int) -> Callable[[int], int]:
    mask, sign = 2**bits - 1, 2 ** (bits - 1)
    return lambda number: ((number & mask) ^ sign) - sign


_NUMBERS: Final[dict[Scalar, Callable[[int], int]]] = {
    Scalar.BOOL: lambda number: number & 2**64 - 1 != 0,
    Scalar.INT32: _cut_signed(32),
    Scalar.INT64: _cut_signed(64),
    Scalar.UINT32: _cut(32),
    Scalar.UINT64: _cut(64),
}


class _Fields:
    """Reads the fields of one message type."""

    __slots__ = ("_field_numbers", "_numbers", "_readers")

    def __init__(self) -> None:
        self._numbers: dict[int, tuple[str, Callable[[int], int]]] = {}
        self._readers: dict[int, _ReadInto] = {}
        self._field_numbers: set[int] = set()

    def add(self, field: Field) -> None:
        self._field_numbers.add(field.number)
        if isinstance(field.kind, Scalar) and field.kind in _NUMBERS:
            self._numbers[field.number << 3 | VARINT] = field.name, _NUMBERS[field.kind]
        else:
            self._readers[field.number << 3 | LENGTH] = _reader_into(field)

    def read_into(self, values: Values, data: bytes, at: int, end: int, depth: int) -> None:
        """Add the fields of `data[at:end]` to `values`. Raises `MalformedFrame`."""
        numbers, readers = self._numbers, self._readers
        while at < end:
            tag = data[at]
            if tag < 128:
                at += 1
            else:
                tag, at = read_varint(data, at, end)
                tag &= _NUMBER_MASK
            if (read_field := readers.get(tag)) is not None:
                length, at = read_varint(data, at, end)
                if length > end - at:
                    raise MalformedFrame("field runs beyond its message")
                read_field(values, data, at, at + length, depth)
                at += length
            elif (number_field := numbers.get(tag)) is not None:
                number, at = read_varint(data, at, end)
                values[number_field[0]] = number_field[1](number)
            else:
                at = skip_field(data, at, end, tag, self._field_numbers)


def _reader_into(field: Field) -> _ReadInto:
    name = field.name
    if field.shape is Shape.MAP:
        return _map_reader(field)
    if field.shape is Shape.LIST:
        read = _reader(field)

        def read_element(values: Values, data: bytes, start: int, end: int, depth: int) -> None:
            values.setdefault(name, []).append(read(data, start, end, depth))

        return read_element
    if not isinstance(field.kind, Scalar):
        return _submessage_reader(name, field.kind)
    read = _reader(field)

    def read_field(values: Values, data: bytes, start: int, end: int, depth: int) -> None:
        values[name] = read(data, start, end, depth)

    return read_field


def _submessage_reader(name: str, message: type[Struct]) -> _ReadInto:
    """Make a reader of a submessage.

    A repeated submessage is merged with the previous one.
    """

    read = _message_reader(message)

    def read_field(values: Values, data: bytes, start: int, end: int, depth: int) -> None:
        before = values.get(name)
        values[name] = read({} if before is None else structs.asdict(before), data, start, end, depth)

    return read_field


def _map_reader(field: Field) -> _ReadInto:
    name = field.name
    entry_fields = _Fields()
    entry_fields.add(Field(1, "key", Scalar.STRING))
    entry_fields.add(Field(2, "value", field.kind))
    zero: Callable[[], Any] = str if isinstance(field.kind, Scalar) else field.kind

    def read_field(values: Values, data: bytes, start: int, end: int, depth: int) -> None:
        entry: Values = {}
        entry_fields.read_into(entry, data, start, end, depth)
        value = entry["value"] if "value" in entry else zero()
        values.setdefault(name, {})[entry.get("key", "")] = value

    return read_field


def _reader(field: Field) -> _ReadValue:
    message = field.kind
    if message is Scalar.STRING:
        return _read_string
    if message is Scalar.BYTES:
        return _read_payload
    assert not isinstance(message, Scalar)
    read = _message_reader(message)
    return lambda data, start, end, depth: read({}, data, start, end, depth)


def _read_string(data: bytes, start: int, end: int, _depth: int) -> str:
    try:
        return data[start:end].decode()
    except UnicodeDecodeError as error:
        raise MalformedFrame("not UTF-8") from error


def _read_payload(data: bytes, start: int, end: int, _depth: int) -> Raw:
    return Raw(data[start:end])


def _message_reader(message: type[Struct]) -> Callable[[Values, bytes, int, int, int], Struct | None]:
    """Make the function that reads a message and merges it with the given values."""

    def read(values: Values, data: bytes, start: int, end: int, depth: int) -> Struct | None:
        _FIELDS[message].read_into(values, data, start, end, depth)
        return message(**values)

    def read_node(values: Values, data: bytes, start: int, end: int, depth: int) -> Struct | None:
        """Read a node of a tags filter.

        One nested too deep becomes None, which validation rejects (01 §17 FIX 12).
        """
        return read(values, data, start, end, depth + 1) if depth < MAX_FILTER_DEPTH else None

    return read_node if message is FilterNode else read


def _fields_of(message: type[Struct]) -> _Fields:
    fields = _Fields()
    for field in SCHEMA[message]:
        fields.add(field)
    return fields


def _incoming(message: type[Struct], found: dict[type[Struct], _Fields]) -> dict[type[Struct], _Fields]:
    """Collect the fields of a message and of all nested messages."""
    if message not in found:
        found[message] = _fields_of(message)
        for field in SCHEMA[message]:
            if not isinstance(field.kind, Scalar):
                _incoming(field.kind, found)
    return found


_FIELDS: Final = _incoming(EmulationRequest, _incoming(Command, {}))


def decode_command(data: bytes, start: int, end: int) -> Command:
    """Decode the command in `data[start:end]`. Raises `MalformedFrame`."""
    values: Values = {}
    _FIELDS[Command].read_into(values, data, start, end, 0)
    return Command(**values)


def decode_connect_request(data: bytes) -> ConnectRequest:
    """Decode the bare connect request of a unidirectional client.

    Raises `MalformedFrame`.
    """
    values: Values = {}
    _FIELDS[ConnectRequest].read_into(values, data, 0, len(data), 0)
    return ConnectRequest(**values)


def decode_emulation_request(data: bytes) -> EmulationRequest:
    """Decode the body of an emulation request. Raises `MalformedFrame`."""
    values: Values = {}
    _FIELDS[EmulationRequest].read_into(values, data, 0, len(data), 0)
    return EmulationRequest(**values)
