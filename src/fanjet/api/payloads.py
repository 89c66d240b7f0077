"""Payload pairs of a request: `data` and `b64data`, `info` and `b64info` (05 §1)."""

from base64 import b64decode

from msgspec import Raw

from .errors import BadRequest


def payload_of(plain: Raw, base64: str) -> bytes:
    """The base64 field's bytes if there are any, else the plain field as it was sent. Raises `BadRequest`."""
    if not base64:
        return bytes(plain)
    try:
        return b64decode(base64.replace("\r", "").replace("\n", ""), validate=True)
    except ValueError as error:
        raise BadRequest from error
