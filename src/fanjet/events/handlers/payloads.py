"""Encodes payloads of the application: Python objects or bytes."""

from typing import Any

import msgspec


def payload_bytes(value: Any) -> bytes:
    """Return bytes unchanged, None as empty, anything else as JSON.

    Raises `TypeError` for what JSON cannot represent.
    """
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    return msgspec.json.encode(value)
