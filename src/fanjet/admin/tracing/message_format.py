"""Messages of the protocol as people read them: JSON, without what holds its default, and without tokens."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from fanjet.protocol.json_scan import is_json

SECRET_FIELDS: Final = frozenset(("token",))
HIDDEN: Final = "<hidden>"


def readable(value: Any) -> Any:
    """Something to be encoded as JSON. Payloads that are JSON stand as such, others by their Base64 form."""
    if isinstance(value, msgspec.Struct):
        return _members(value)
    if isinstance(value, bytes | msgspec.Raw):
        return payload(bytes(value))
    if isinstance(value, dict):
        return {name: readable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [readable(one) for one in value]
    return value


def payload(data: bytes) -> Any:
    """A payload: JSON as such, anything else by its Base64 form; None for an empty one."""
    if not data:
        return None
    return msgspec.Raw(data) if is_json(data) else {"base64": data}


def _members(struct: msgspec.Struct) -> dict[str, Any]:
    members = {}
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        if not (bytes(value) if isinstance(value, msgspec.Raw) else value):
            continue
        members[name] = HIDDEN if name in SECRET_FIELDS else readable(value)
    return members
