"""Payloads of the application: Python objects or bytes."""

from typing import Any

import msgspec


def payload_bytes(value: Any) -> bytes:
    """Bytes as they are, None as no payload, anything else as JSON. Raises `TypeError` for what JSON cannot say."""
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    return msgspec.json.encode(value)
