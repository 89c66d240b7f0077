"""The subset of Protobuf that the generator needs.

It encodes length-delimited fields and decodes fields.
"""

from collections.abc import Iterator
from typing import Final

_VARINT: Final = 0
_LENGTH: Final = 2


def field(number: int, value: bytes) -> bytes:
    """Return a field that holds a string, bytes or a message."""
    return _varint(number << 3 | _LENGTH) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of every field.

    Raises `ValueError` for unsupported wire types.
    """
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        value, at = _read_varint(message, at)
        if key & 7 == _VARINT:
            yield key >> 3, value
        elif key & 7 == _LENGTH:
            yield key >> 3, message[at : at + value]
            at += value
        else:
            raise ValueError(f"field {key >> 3} has type {key & 7}")


def messages(message: bytes, number: int) -> list[bytes]:
    """Return the values of all length-delimited fields with this number."""
    return [value for found, value in fields(message) if found == number and isinstance(value, bytes)]


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return value, at
