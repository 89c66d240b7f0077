"""Results as JSON (05 §2.6)."""

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
    """A result holds a payload that cannot stand in JSON, a binary publication for one."""


def _embed(value: object) -> msgspec.Raw:
    if not isinstance(value, Payload):
        raise TypeError(f"{type(value).__name__} is no part of a result")
    if not is_json(value.data):
        raise PayloadNotJSON
    return msgspec.Raw(value.data)


_encode = msgspec.json.Encoder(enc_hook=_embed).encode


def encode_mapping(results: Mapping[str, Result | list[dict[str, Result]]]) -> bytes:
    """Results, or lists of named ones, under their names. Raises `PayloadNotJSON`."""
    return _encode(results)


def encode_result(result: Result) -> bytes:
    """The bare result. Raises `PayloadNotJSON`."""
    return _encode(result)


def encode_error(error: ApiError) -> bytes:
    """The bare error object."""
    return b'{"code":%d,"message":"%s"}' % (error.code, error.message.encode())


def encode_success(result: Result) -> bytes:
    """The envelope of a success. Raises `PayloadNotJSON`."""
    return b'{"result":%b}' % _encode(result)  # a second copy, which costs less than to have the encoder write a dict


def encode_failure(error: ApiError) -> bytes:
    """The envelope of an error."""
    return b'{"error":%s}' % encode_error(error)
