"""Protobuf encoders of outgoing messages, built from `schema` (01 §2.3).

Fields with zero values are omitted.
"""

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from ..publication import EncodedPublication, Publication
from ..publication_cache import PublicationCache
from ..schema import Field, Scalar, Shape, fields_except, values_getter
from .wire import LENGTH, VARINT, varint

Encode = Callable[[Any], bytes]

_MASK64: Final = 2**64 - 1


def length_field(number: int) -> Encode:
    """Make the function that encodes bytes as a field of this number."""
    tag = varint(number << 3 | LENGTH)
    return lambda content: tag + varint(len(content)) + content


def varint_field(number: int) -> Encode:
    """Make the function that encodes an integer as a field of this number.

    Negative integers take ten bytes.
    """
    tag = varint(number << 3 | VARINT)
    return lambda value: tag + varint(value & _MASK64)


def string_field(number: int) -> Encode:
    """Make the function that encodes a string as a field.

    A lone surrogate becomes `?`.
    """
    wrap = length_field(number)
    return lambda text: wrap(text.encode(errors="replace"))


def protobuf_encoder(message: type[Struct], *, exclude: frozenset[str] = frozenset()) -> Encode:
    """Make the function that encodes messages of this type, without a length prefix.

    `exclude`: names of fields to omit.
    """
    fields = fields_except(message, exclude)
    if not fields:
        return lambda _message: b""
    writers = tuple(_field_writer(field) for field in fields)
    values_of = values_getter(fields)

    def encode(value: Any) -> bytes:
        return b"".join([write(content) for content, write in zip(values_of(value), writers, strict=False) if content])

    return encode


def _field_writer(field: Field) -> Encode:
    if field.shape is Shape.MAP:
        entry = length_field(field.number)
        write_key, write_value = string_field(1), _value_writer(field.kind, 2)
        return lambda items: b"".join([entry(write_key(key) + write_value(item)) for key, item in items.items()])
    write = _value_writer(field.kind, field.number)
    if field.shape is Shape.LIST:
        return lambda items: b"".join(map(write, items))
    return write


def _value_writer(kind: Scalar | type[Struct], number: int) -> Encode:
    if kind is Scalar.STRING:
        return string_field(number)
    if kind is Scalar.BYTES:
        return length_field(number)
    if kind is Scalar.SINT64:
        write = varint_field(number)
        return lambda value: write(value << 1 ^ value >> 63)
    if isinstance(kind, Scalar):
        return varint_field(number)
    encode, wrap = protobuf_encoder(kind), length_field(number)
    if kind is Publication:
        encode_cached = PublicationCache(encode).encode
        return lambda item: wrap(item.body if type(item) is EncodedPublication else encode_cached(item))
    return lambda item: wrap(encode(item))
