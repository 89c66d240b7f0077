"""The decoder of JSON documents that others send, by the rules of 01 §2.2 and 05 §2.5.

Every foreign document is decoded here, so that keys match in any letter case wherever it comes from.
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
    """Decodes documents of one type in three steps: msgspec for exact keys, member by member for other keys, leniently
    for what msgspec refuses or is known to accept wrongly.

    `exact` is the first step alone. It raises `msgspec.DecodeError` or RecursionError for what `decode_again` is to
    decode. The type and all structs in it must be a `Document`; others raise TypeError.
    """

    __slots__ = ("_type", "exact")

    def __init__(self, document_type: type[T]) -> None:
        _require_documents(document_type)
        self._type = document_type
        self.exact = Decoder(document_type).decode

    def decode(self, document: bytes) -> T:
        """Decode one document in UTF-8. Raises `MalformedJSON`."""
        try:
            # Inside payloads msgspec lets pass what is not UTF-8, and it takes -0 for an unsigned number. The test for
            # a single byte costs 20 ns, for two of them 200 and more.
            if not document.isascii():
                document.decode()
            if _MINUS not in document or not _minus_zero.search(document):
                return self.exact(document)
        except (DecodeError, RecursionError) as error:
            return self.decode_again(document, error)
        except UnicodeDecodeError as error:
            raise MalformedJSON("not UTF-8") from error
        return lenient_decoder.decode(document, self._type)

    def decode_again(self, document: bytes, refusal: Exception) -> T:
        """Decode what `exact` has refused. `document` must be UTF-8. Raises `MalformedJSON` and RecursionError."""
        if isinstance(refusal, ValidationError):
            try:
                return decode_members(self._type, document)
            except (DecodeError, ValueError, RecursionError):
                pass
        return lenient_decoder.decode(document, self._type)


def _require_documents(document_type: type[Struct]) -> None:
    """Raise TypeError for a struct that would ignore keys in another letter case."""
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
