"""Finding claims by path, in claims that have been decoded before (03 §14.4)."""

from typing import Final, TypeVar

from msgspec import Raw

from fanjet.protocol.json_encoding.document import Document
from fanjet.protocol.json_encoding.document_decoder import DocumentDecoder

from .jwt import decode_json


class _Members(Document, frozen=True):
    value: dict[str, Raw] = {}


class _Elements(Document, frozen=True):
    value: list[Raw] = []


D = TypeVar("D", bound=Document)

_members: Final = DocumentDecoder(_Members)
_elements: Final = DocumentDecoder(_Elements)


def find_claim(document: bytes, path: tuple[str, ...]) -> bytes | None:
    """The value at `path`, as it is written; None when there is nothing. Numbers index arrays."""
    value: bytes | None = document.strip(b" \t\r\n")
    for name in path:
        if value is None:
            return None
        value = _child(value, name)
    return value


def members(document: bytes) -> dict[str, Raw]:
    """The members of an object, as they are written; none for what is no object."""
    return _decode(document, _members).value if document.startswith(b"{") else {}


def _child(value: bytes, name: str) -> bytes | None:
    if value.startswith(b"{"):
        found = members(value).get(name)
        return None if found is None else bytes(found)
    if value.startswith(b"[") and name.isdecimal() and name.isascii():
        elements = _decode(value, _elements).value
        return bytes(elements[int(name)]) if int(name) < len(elements) else None
    return None


def _decode(value: bytes, decoder: DocumentDecoder[D]) -> D:
    """What the careful decoder, which takes half surrogates and any depth, fills are structs."""
    return decode_json(b'{"value":' + value + b"}", decoder)
