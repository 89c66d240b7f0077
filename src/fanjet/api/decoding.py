"""Request bodies into requests, by the rules of 05 §2.5."""

from __future__ import annotations

import re
from typing import Final, Generic, TypeVar

import msgspec

from fanjet.protocol import lenient_json
from fanjet.protocol.json_scan import MalformedJSON

T = TypeVar("T", bound=msgspec.Struct)

_MINUS: Final = ord("-")
_minus_zero = re.compile(rb":\s*-0\s*[,}]")


class MalformedRequest(Exception):  # noqa: N818
    """The body is not JSON, or a value in it has another type than its field."""


class RequestDecoder(Generic[T]):
    """Decodes bodies of one request type: by `msgspec`, and carefully where that refuses or is known to be too kind."""

    __slots__ = ("_fast", "_type")

    def __init__(self, request_type: type[T]) -> None:
        self._type = request_type
        self._fast = msgspec.json.Decoder(request_type).decode

    def decode(self, body: bytes) -> T:
        """Raises `MalformedRequest`."""
        try:
            # Inside payloads msgspec lets pass what is not UTF-8, and it takes -0 for an unsigned number. The test for
            # a single byte costs 20 ns, for two of them 200 and more.
            if not body.isascii():
                body.decode()
            if _MINUS not in body or not _minus_zero.search(body):
                return self._fast(body)
        except (msgspec.DecodeError, RecursionError):
            pass
        except UnicodeDecodeError as error:
            raise MalformedRequest("not UTF-8") from error
        return self._decode_carefully(body)

    def _decode_carefully(self, body: bytes) -> T:
        try:
            return lenient_json.decode(body, self._type)
        except MalformedJSON as error:
            raise MalformedRequest(str(error)) from error
