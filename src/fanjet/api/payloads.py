"""Payload pairs of a request: `data` and `b64data`, `info` and `b64info` (05 §1)."""

from msgspec import Raw

from fanjet.protocol.base64_payload import decode_base64

from .errors import BadRequest


def payload_of(plain: Raw, base64: str) -> bytes:
    """Return the decoded base64 field, or the plain field. Raises `BadRequest`."""
    if not base64:
        return bytes(plain)
    try:
        return decode_base64(base64)
    except ValueError as error:
        raise BadRequest from error
