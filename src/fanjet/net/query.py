"""Reads fields of query strings."""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

_BROKEN_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def query_value(query: bytes, name: bytes) -> bytes:
    """The decoded first value of the field `name`; empty if absent.

    Fields with a semicolon or a broken escape are ignored.
    """
    return find_value(query, name) or b""


def find_value(query: bytes, name: bytes) -> bytes | None:
    """Like `query_value`, but None if the field is absent."""
    for field in query.split(b"&"):
        key, _, value = field.partition(b"=")
        if _decoded(key) == name and b";" not in field and not _BROKEN_ESCAPE.search(field):
            return _decoded(value)
    return None


def _decoded(part: bytes) -> bytes:
    return unquote_to_bytes(part.replace(b"+", b" "))
