"""Base class of structs that are decoded from JSON that others send (01 §2.2)."""

from msgspec import Struct


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """A JSON object of a foreign document, or one nested in it. `json_document.DocumentDecoder` decodes it.

    msgspec matches keys exactly and refuses unknown ones here. Each refused document is decoded again with keys in any
    letter case, and only then are unknown keys ignored. Exact documents pay nothing for the rule.
    """
