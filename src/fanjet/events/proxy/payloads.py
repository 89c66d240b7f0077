"""Payloads of results, plain or in Base64 (06 §4.1)."""

from base64 import b64encode

from msgspec import Raw

from fanjet.protocol.base64_payload import decode_base64


def encode_base64(data: bytes) -> str:
    """Encode in the standard alphabet with padding."""
    return b64encode(data).decode()


def payload_of(plain: Raw, base64: str) -> bytes:
    """Return the decoded Base64 field, or the plain field. Raises ValueError."""
    return decode_base64(base64) if base64 else bytes(plain)
