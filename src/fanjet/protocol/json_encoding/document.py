"""Base class of structs decoded from received JSON (01 §2.2)."""

from msgspec import Struct


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """A JSON object of a received document.

    It is decoded by `document_decoder.DocumentDecoder`. msgspec matches keys exactly and refuses unknown ones. A
    refused document is decoded again with keys in any letter case; only then are unknown keys ignored. The rule costs
    documents with exact keys nothing.
    """
