"""JSON documents of other people's making into structs, by the rules of 05 §2.5."""

from __future__ import annotations

import re
from typing import Final, Generic, TypeVar

import msgspec

from . import lenient_json
from .json_scan import MalformedJSON

T = TypeVar("T", bound=msgspec.Struct)

_MINUS: Final = ord("-")
_minus_zero = re.compile(rb":\s*-0\s*[,}]")


class DocumentDecoder(Generic[T]):
    """Decodes documents of one type: by `msgspec`, and carefully where that refuses or is known to be too kind."""

    __slots__ = ("_fast", "_type")

    def __init__(self, document_type: type[T]) -> None:
        self._type = document_type
        self._fast = msgspec.json.Decoder(document_type).decode

    def decode(self, document: bytes) -> T:
        """Raises `MalformedJSON`."""
        try:
            # Inside payloads msgspec lets pass what is not UTF-8, and it takes -0 for an unsigned number. The test for
            # a single byte costs 20 ns, for two of them 200 and more.
            if not document.isascii():
                document.decode()
            if _MINUS not in document or not _minus_zero.search(document):
                return self._fast(document)
        except (msgspec.DecodeError, RecursionError):
            pass
        except UnicodeDecodeError as error:
            raise MalformedJSON("not UTF-8") from error
        return lenient_json.decode(document, self._type)
