"""Checks published data against the namespace's data format (03 §3.5)."""

from typing import Final

from fanjet.protocol.json_encoding.scan import is_json

_JSON_SPACE: Final = b" \t\r\n"
# Bytes from 0x80 need not be UTF-8 here. Replaced by a letter, they are still rejected outside strings.
_ANY_TEXT: Final = bytes(range(0x80)) + b"x" * 0x80


def data_fits(data_format: str, data: bytes) -> bool:
    """Check publication data against `publication_data_format`.

    The format is `""`, `json`, `json_object` or `binary`.
    """
    if data_format == "binary":
        return True
    if not data:
        return False
    if not data_format:
        return True
    if data_format == "json_object" and not data.lstrip(_JSON_SPACE).startswith(b"{"):
        return False
    return is_json(data if data.isascii() else data.translate(_ANY_TEXT))
