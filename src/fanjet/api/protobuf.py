"""Protobuf messages into requests, and results into Protobuf messages (05 §10).

Structs and messages name their fields alike, so the descriptors say how to convert, once per type.
"""

from __future__ import annotations

from collections.abc import Callable
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeAlias, cast, get_args, get_origin, get_type_hints

from msgspec import Raw, Struct

from .results import Payload

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor
    from google.protobuf.message import Message

    from .results import Result

Convert: TypeAlias = Callable[[Any], Any]


def request_reader(message_class: type[Message], struct: type[Struct]) -> Callable[[Message], Any]:
    """Make the function that turns messages into requests.

    What the struct has no field for is passed over, as if it came from a newer schema.
    """
    return _struct_reader(cast("Descriptor", message_class.DESCRIPTOR), struct, {})


def _struct_reader(
    descriptor: Descriptor, struct: type[Struct], known: dict[type[Struct], Callable[[Message], Any]]
) -> Callable[[Message], Any]:
    if struct in known:  # some messages contain themselves
        return known[struct]
    converters: dict[int, tuple[str, Convert]] = {}

    def read(message: Message) -> Any:
        fields = {}
        for field, value in message.ListFields():
            name_and_convert = converters.get(field.number)
            if name_and_convert is not None:
                name, convert = name_and_convert
                fields[name] = convert(value)
        return struct(**fields)

    known[struct] = read
    types = get_type_hints(struct)
    for name in struct.__struct_fields__:
        field = descriptor.fields_by_name[name]
        converters[field.number] = name, _field_converter(field, types[name], known)
    return read


def _field_converter(
    field: FieldDescriptor, annotation: Any, known: dict[type[Struct], Callable[[Message], Any]]
) -> Convert:
    message = field.message_type
    if message is None:
        if field.is_repeated:
            return list
        return Raw if field.type == field.TYPE_BYTES else _unchanged
    if message.GetOptions().map_entry:
        return dict
    read = _struct_reader(message, _struct_in(annotation), known)
    return (lambda items: [read(item) for item in items]) if field.is_repeated else read


def _struct_in(annotation: Any) -> type[Struct]:
    """The struct that `annotation` is about: itself, optional, or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return annotation
    if get_origin(annotation) in (list, UnionType):
        for part in get_args(annotation):
            if part is not type(None):
                return _struct_in(part)
    raise TypeError(f"{annotation} has no place for a message")


def _unchanged(value: Any) -> Any:
    return value


def fill(message: Message, result: Result) -> None:
    """Write a result into a message. An empty one counts as set."""
    message.SetInParent()
    for name in result.__struct_fields__:
        value = getattr(result, name)
        if not value:
            continue
        if isinstance(value, Struct):
            fill(getattr(message, name), value)  # type: ignore[arg-type]
        elif isinstance(value, list):
            items = getattr(message, name)
            for item in value:
                fill(items.add(), item)
        elif isinstance(value, dict):
            _fill_map(getattr(message, name), value)
        else:
            setattr(message, name, value.data if isinstance(value, Payload) else value)


def _fill_map(target: Any, values: dict[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Struct):
            fill(target[key], value)  # type: ignore[arg-type]
        else:
            target[key] = value
