"""JSON encoding of results (05 §2.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanjet.protocol.json_encoding.scan import is_json

from .results import Payload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .errors import ApiError
    from .results import Result


class PayloadNotJSON(Exception):  # noqa: N818
    """A result holds a payload that is not JSON, such as a binary publication."""


def _embed(value: object) -> msgspec.Raw:
    if not isinstance(value, Payload):
        raise TypeError(f"{type(value).__name__} cannot be part of a result")
    if not is_json(value.data):
        raise PayloadNotJSON
    return msgspec.Raw(value.data)


_encode = msgspec.json.Encoder(enc_hook=_embed).encode


def encode_mapping(results: Mapping[str, Result | list[dict[str, Result]]]) -> bytes:
    """Encode results, or lists of named results, by name. Raises `PayloadNotJSON`."""
    return _encode(results)


def encode_result(result: Result) -> bytes:
    """Encode the result without an envelope. Raises `PayloadNotJSON`."""
    return _encode(result)


def encode_error(error: ApiError) -> bytes:
    """Encode the error without an envelope."""
    return b'{"code":%d,"message":"%s"}' % (error.code, error.message.encode())


def encode_success(result: Result) -> bytes:
    """Encode the result in its envelope. Raises `PayloadNotJSON`."""
    return b'{"result":%b}' % _encode(result)  # this second copy is cheaper than encoding a dict


def encode_failure(error: ApiError) -> bytes:
    """Encode the error in its envelope."""
    return b'{"error":%s}' % encode_error(error)
