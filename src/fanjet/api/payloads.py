"""Payload pairs of a request: `data` and `b64data`, `info` and `b64info` (05 §1)."""

from msgspec import Raw

from fanjet.protocol.base64_text import decode_base64

from .errors import BadRequest


def payload_of(plain: Raw, base64: str) -> bytes:
    """The base64 field's bytes if there are any, else the plain field as it was sent. Raises `BadRequest`."""
    if not base64:
        return bytes(plain)
    try:
        return decode_base64(base64)
    except ValueError as error:
        raise BadRequest from error


def is_json_text(plain: Raw, base64: str) -> bool:
    """Whether a payload is known to be JSON: a `Raw` is, cut out of a JSON document. Ways in that carry any bytes put
    bytes in its place."""
    return type(plain) is Raw and not base64
