"""Payloads of results: as they are, or in Base64 (06 §4.1)."""

from base64 import b64encode

from msgspec import Raw

from fanjet.protocol.base64_payload import decode_base64


def encode_base64(data: bytes) -> str:
    """Standard alphabet with padding."""
    return b64encode(data).decode()


def payload_of(plain: Raw, base64: str) -> bytes:
    """What the Base64 field holds if it is not empty, else the plain field. Raises ValueError for what is no Base64."""
    return decode_base64(base64) if base64 else bytes(plain)
