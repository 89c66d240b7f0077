"""The Protobuf wire format: varints and skipping of fields (01 §2.3)."""

from collections.abc import Container
from typing import Final

from ..codec import MalformedFrame

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
GROUP_START: Final = 3
GROUP_END: Final = 4
FIXED32: Final = 5

_ONE_BYTE: Final = [bytes((number,)) for number in range(128)]


def varint(number: int) -> bytes:
    """Encode a non-negative number."""
    if number < 128:
        return _ONE_BYTE[number]
    if number < 16384:
        return bytes((number & 127 | 128, number >> 7))
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def read_varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read the number at `at`, before `end`; return it (at most 70 bits) and its end.

    Raises `MalformedFrame` if it is truncated or longer than ten bytes.
    """
    number = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        if byte < 128:
            return number | byte << shift, at
        number |= (byte & 127) << shift
        shift += 7
    raise MalformedFrame("number truncated or too long")


def skip_field(data: bytes, at: int, end: int, tag: int, known_numbers: Container[int]) -> int:
    """Skip an unknown field, or group, whose tag ended at `at`; return its end.

    Raises `MalformedFrame` if it is malformed, or if its number is known but its wire type is wrong.
    """
    open_groups = 0
    while True:
        number, wire_type = tag >> 3, tag & 7
        if not 0 < number < 2**31 or (number in known_numbers and not open_groups):
            raise MalformedFrame("no such field, or not of this type")
        if wire_type == GROUP_START:
            open_groups += 1
        elif wire_type == GROUP_END:
            open_groups -= 1
        else:
            at = _skip_value(data, at, end, wire_type)
        if open_groups < 0 or at > end:
            raise MalformedFrame("group without start, or field beyond the end")
        if not open_groups:
            return at
        tag, at = read_varint(data, at, end)


def _skip_value(data: bytes, at: int, end: int, wire_type: int) -> int:
    if wire_type == VARINT:
        return read_varint(data, at, end)[1]
    if wire_type == LENGTH:
        length, at = read_varint(data, at, end)
        return at + length
    if wire_type == FIXED64:
        return at + 8
    if wire_type == FIXED32:
        return at + 4
    raise MalformedFrame("undefined wire type")
