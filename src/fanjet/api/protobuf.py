"""Conversion of results to Protobuf messages of the same fields (05 §10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from .results import Payload

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from .results import Result


def fill(message: Message, result: Result) -> None:
    """Write a result into a message. An empty result marks the message as set."""
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
