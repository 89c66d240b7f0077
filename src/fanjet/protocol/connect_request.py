"""Decodes JSON connect requests of unidirectional clients (02 §9.1)."""

from typing import Final

from msgspec import DecodeError

from .codec import MalformedFrame
from .json_encoding.document_decoder import DocumentDecoder
from .json_encoding.scan import MalformedJSON, require_utf8, skip_space, skip_value
from .messages import ConnectRequest

_requests: Final = DocumentDecoder(ConnectRequest)


def decode_json_connect_request(data: bytes) -> ConnectRequest:
    """Decode the bare connect request at the start of `data`; the rest is ignored.

    Raises `MalformedFrame`.
    """
    try:
        if not data.isascii():
            require_utf8(data)
        return _requests.decode_exact(data)
    except (MalformedJSON, DecodeError, RecursionError):
        return _decode_first_value(data)


def _decode_first_value(data: bytes) -> ConnectRequest:
    start = skip_space(data, 0)
    try:
        return _requests.decode(data[start : skip_value(data, start)])
    except (MalformedJSON, RecursionError) as error:
        raise MalformedFrame from error
