"""Formats protocol messages for people: JSON without default values and tokens."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from fanjet.protocol.json_encoding.scan import is_json

SECRET_FIELDS: Final = frozenset(("token",))
HIDDEN: Final = "<hidden>"


def format_message(value: Any) -> Any:
    """Return a value that can be encoded as JSON.

    JSON payloads are embedded, others become Base64.
    """
    if isinstance(value, msgspec.Struct):
        return _format_struct(value)
    if isinstance(value, bytes | msgspec.Raw):
        return format_payload(bytes(value))
    if isinstance(value, dict):
        return {name: format_message(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [format_message(item) for item in value]
    return value


def format_payload(data: bytes) -> Any:
    """A payload: JSON is embedded, anything else becomes Base64; None when empty."""
    if not data:
        return None
    return msgspec.Raw(data) if is_json(data) else {"base64": data}


def _format_struct(struct: msgspec.Struct) -> dict[str, Any]:
    members = {}
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        if not (bytes(value) if isinstance(value, msgspec.Raw) else value):
            continue
        members[name] = HIDDEN if name in SECRET_FIELDS else format_message(value)
    return members
