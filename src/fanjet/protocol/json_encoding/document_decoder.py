"""Decodes JSON documents from clients, backends and tokens (01 §2.2, 05 §2.5).

Every received document is decoded here, so that keys match in any letter case whatever the source is.
"""

from __future__ import annotations

import re
from typing import Final, Generic, TypeVar

from msgspec import DecodeError, Struct, ValidationError, inspect
from msgspec.json import Decoder

from . import lenient_decoder
from .document import Document
from .members_decoder import decode_members
from .scan import MalformedJSON

T = TypeVar("T", bound=Document)

_MINUS: Final = ord("-")
_minus_zero = re.compile(rb":\s*-0\s*[,}]")


class DocumentDecoder(Generic[T]):
    """Decodes documents of one type.

    It tries three decoders: msgspec for exact keys, the members decoder for keys in other letter case, and the lenient
    decoder for documents that msgspec refuses or is known to accept wrongly.

    `decode_exact` is the first step alone. It raises `msgspec.DecodeError` or RecursionError; the caller then passes
    the document to `decode_fallback`. The constructor raises TypeError if a struct in the type is no `Document`.
    """

    __slots__ = ("_type", "decode_exact")

    def __init__(self, document_type: type[T]) -> None:
        _require_documents(document_type)
        self._type = document_type
        self.decode_exact = Decoder(document_type).decode

    def decode(self, document: bytes) -> T:
        """Decode one document in UTF-8. Raises `MalformedJSON`."""
        try:
            # msgspec accepts invalid UTF-8 inside payloads, and -0 as an unsigned number. Searching for a single byte
            # costs 20 ns, for two bytes 200 ns and more.
            if not document.isascii():
                document.decode()
            if _MINUS not in document or not _minus_zero.search(document):
                return self.decode_exact(document)
        except (DecodeError, RecursionError) as error:
            return self.decode_fallback(document, error)
        except UnicodeDecodeError as error:
            raise MalformedJSON("not UTF-8") from error
        return lenient_decoder.decode(document, self._type)

    def decode_fallback(self, document: bytes, decode_error: Exception) -> T:
        """Decode a document that `decode_exact` refused.

        `document` must be UTF-8. Raises `MalformedJSON` and RecursionError.
        """
        if isinstance(decode_error, ValidationError):
            try:
                return decode_members(self._type, document)
            except (DecodeError, ValueError, RecursionError):
                pass  # the lenient decoder decides, and says what is wrong
        return lenient_decoder.decode(document, self._type)


def _require_documents(document_type: type[Struct]) -> None:
    """Raise TypeError if a struct in the type is no `Document`.

    Such a struct would ignore keys in other letter case.
    """
    open_types: list[inspect.Type] = [inspect.type_info(document_type)]
    seen: set[type] = set()
    while open_types:
        kind = open_types.pop()
        match kind:
            case inspect.StructType() if kind.cls not in seen:
                if not issubclass(kind.cls, Document):
                    raise TypeError(f"{kind.cls.__name__} in {document_type.__name__} is no Document")
                seen.add(kind.cls)
                open_types += [field.type for field in kind.fields]
            case inspect.ListType():
                open_types.append(kind.item_type)
            case inspect.DictType():
                open_types.append(kind.value_type)
            case inspect.UnionType():
                open_types += kind.types
