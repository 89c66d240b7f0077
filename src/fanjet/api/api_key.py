"""The API key check (05 §2.4)."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping


class KeyCheck:
    """Admits requests that carry the API key; an empty key admits none.

    Keys are compared in constant time.
    """

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def admits(self, headers: Mapping[bytes, bytes], query: bytes) -> bool:
        """Whether a header or the query string holds the key.

        Header names are lower-case.
        """
        if not self._key:
            return False
        offered = headers.get(b"x-api-key") or _authorization_key(headers.get(b"authorization", b""))
        if compare_digest(offered, self._key):
            return True
        return bool(query) and compare_digest(_query_key(query), self._key)

    def admits_header(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether `X-API-Key` holds the key."""
        return bool(self._key) and compare_digest(headers.get(b"x-api-key", b""), self._key)


def _authorization_key(value: bytes) -> bytes:
    parts = value.split()
    return parts[1] if len(parts) == 2 and parts[0].lower() == b"apikey" else b""


def _query_key(query: bytes) -> bytes:
    """The first `api_key` of a query string."""
    for pair in query.split(b"&"):
        name, _, value = pair.replace(b"+", b" ").partition(b"=")
        if unquote_to_bytes(name) == b"api_key":
            return unquote_to_bytes(value)
    return b""
