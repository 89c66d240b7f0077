"""Converts messages of generated Protobuf classes to structs.

Both have the same field names, so a struct class defines its conversion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from msgspec import Struct, inspect, structs

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor
    from google.protobuf.message import Message

T = TypeVar("T", bound=Struct)
_Convert = Callable[[Any], Any]


def struct_reader(message_class: type[Message], struct: type[T]) -> Callable[[Message], T]:
    """Make the function that converts messages to structs.

    Bytes stay bytes, even for `Raw` fields. Message fields without a struct field are ignored, like those of a newer
    schema.
    """
    return _reader(cast("Descriptor", message_class.DESCRIPTOR), struct, {})


def _reader(
    descriptor: Descriptor, struct: type[T], readers: dict[type[Struct], Callable[[Message], Any]]
) -> Callable[[Message], T]:
    if struct in readers:  # recursive message types
        return readers[struct]
    converters: dict[int, tuple[str, _Convert]] = {}

    def read(message: Message) -> T:
        fields = {}
        for field, value in message.ListFields():
            named = converters.get(field.number)
            if named is not None:
                name, convert = named
                fields[name] = convert(value)
        return struct(**fields)

    readers[struct] = read
    for struct_field in structs.fields(struct):
        field = descriptor.fields_by_name[struct_field.name]
        converters[field.number] = struct_field.name, _converter(field, inspect.type_info(struct_field.type), readers)
    return read


def _converter(
    field: FieldDescriptor, info: inspect.Type, readers: dict[type[Struct], Callable[[Message], Any]]
) -> Any:
    message = field.message_type
    if message is None:
        if field.is_repeated:
            return list
        return _identity
    if message.GetOptions().map_entry:
        value = message.fields_by_name["value"]
        if value.message_type is None:
            return dict
        read = _reader(value.message_type, _struct_in(info), readers)
        return lambda items: _read_values(read, items)
    read = _reader(message, _struct_in(info), readers)
    return (lambda items: [read(item) for item in items]) if field.is_repeated else read


def _read_values(read: _Convert, items: Mapping[str, Any]) -> dict[str, Any]:
    return {key: read(item) for key, item in items.items()}


def _struct_in(info: inspect.Type) -> type[Struct]:
    """Return the struct in a field's type.

    It is the type itself, optional, in a list or in a map.
    """
    match info:
        case inspect.StructType():
            return info.cls
        case inspect.ListType():
            return _struct_in(info.item_type)
        case inspect.DictType():
            return _struct_in(info.value_type)
        case inspect.UnionType():
            (inner,) = (one for one in info.types if not isinstance(one, inspect.NoneType))
            return _struct_in(inner)
    raise TypeError(f"{info} contains no struct")


def _identity(value: Any) -> Any:
    return value
