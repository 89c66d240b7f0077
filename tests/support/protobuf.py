"""Protobuf messages of the client protocol as plain dictionaries, the way JSON has them; `bytes` stay bytes.

The messages are those that the Python SDK carries, so what a test reads is what that SDK would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from centrifuge.protocol.client_pb2 import Command, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

Fields = dict[str, Any]


def encoded(command: Fields) -> bytes:
    """One command with its length before it."""
    message = Command()
    _fill(message, command)
    body: bytes = message.SerializeToString()
    return varint(len(body)) + body


def decoded(frame: bytes) -> Iterator[Fields]:
    """The replies of one frame."""
    at = 0
    while at < len(frame):
        start, end = _bounds(frame, at)
        assert end <= len(frame), "a message runs beyond its frame"
        yield _fields(Reply.FromString(frame[start:end]))
        at = end


def whole_messages(data: bytes) -> int:
    """How many bytes of `data` are whole messages."""
    at = 0
    while at < len(data):
        _, end = _bounds(data, at)
        if end > len(data):
            break
        at = end
    return at


def _bounds(data: bytes, at: int) -> tuple[int, int]:
    """Where the message begins whose length is at `at`, and where it ends; when not even its length is whole, beyond
    everything."""
    length = shift = 0
    while at < len(data):
        byte = data[at]
        length |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return at, at + length
    return at, len(data) + 1


def varint(number: int) -> bytes:
    """A number in groups of seven bits, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def _fill(message: Message, fields: Fields) -> None:
    for name, value in fields.items():
        field = message.DESCRIPTOR.fields_by_name[name]
        target = getattr(message, name)
        if isinstance(value, list):
            for item in value:
                if field.message_type is None:
                    target.append(item)
                else:
                    _fill(target.add(), item)
        elif field.message_type is None:
            setattr(message, name, value)
        elif field.message_type.GetOptions().map_entry:
            _fill_map(target, value)
        else:
            target.SetInParent()
            _fill(target, value)


def _fill_map(target: Any, values: Fields) -> None:
    for key, value in values.items():
        if isinstance(value, dict):
            target[key].SetInParent()
            _fill(target[key], value)
        else:
            target[key] = value


def _fields(message: Message) -> Fields:
    return {field.name: _plain(field, value) for field, value in message.ListFields()}


def _plain(field: Any, value: Any) -> Any:
    if field.message_type is None:
        return value if isinstance(value, bytes | str | int | float) else list(value)
    if field.message_type.GetOptions().map_entry:
        nested = field.message_type.fields_by_name["value"].message_type is not None
        return {key: _fields(value[key]) if nested else value[key] for key in value}
    if isinstance(value, list) or hasattr(value, "add"):
        return [_fields(item) for item in value]
    return _fields(value)
