"""Decodes emulation requests: commands sent beside a one-way stream (02 §7.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import DecodeError
from msgspec.json import Decoder

from .codec import MalformedFrame
from .json_encoding.document_decoder import DocumentDecoder
from .json_encoding.lenient_decoder import decode_first, decode_string
from .json_encoding.scan import MalformedJSON
from .messages import EmulationRequest
from .protobuf_encoding.decode import decode_emulation_request

if TYPE_CHECKING:
    from .codec import Codec

_decode_request: Final = DocumentDecoder(EmulationRequest).decode_exact
_decode_text: Final = Decoder(str).decode


def emulation_request(body: bytes, *, is_protobuf: bool) -> EmulationRequest:
    """Decode a body.

    Data after the JSON object is ignored; `null` is an empty object. Raises `MalformedFrame`.
    """
    if is_protobuf:
        return decode_emulation_request(body)
    try:
        return _decode_request(body)
    except (DecodeError, RecursionError, UnicodeDecodeError):
        try:
            return decode_first(_as_utf8(body), 0, EmulationRequest)[0]
        except (MalformedJSON, RecursionError) as error:
            raise MalformedFrame from error


def decode_emulation_data(codec: Codec, data: bytes) -> bytes:
    """Return the frame of commands in the `data` of a request.

    In JSON, `data` is a string that holds the frame.

    Raises `MalformedFrame`.
    """
    if not codec.pushes_json:
        return data
    try:
        return _decode_text(data).encode()
    except (DecodeError, UnicodeDecodeError):
        try:
            return decode_string(_as_utf8(data)).encode()
        except MalformedJSON as error:
            raise MalformedFrame from error


def _as_utf8(data: bytes) -> bytes:
    """Replace invalid UTF-8 by U+FFFD, like the reference, which accepts it."""
    return data.decode(errors="replace").encode()
