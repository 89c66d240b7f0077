"""Finds claims by path in a claims document that was decoded before (03 §14.4)."""

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
    """Return the value at `path` as written, or None.

    Decimal path segments index arrays.
    """
    value: bytes | None = document.strip(b" \t\r\n")
    for name in path:
        if value is None:
            return None
        value = _child(value, name)
    return value


def members(document: bytes) -> dict[str, Raw]:
    """Return the members of an object as written; an empty dict for any other value."""
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
    """Decode a value through a struct.

    The lenient decoder (lone surrogates, any depth) only fills structs.
    """
    return decode_json(b'{"value":' + value + b"}", decoder)
