"""Reads binary messages field by field."""

from __future__ import annotations


class TruncatedError(ValueError):
    """A field is longer than the remaining bytes."""


class ByteFields:
    """The unread rest of a message; false when empty. Methods raise `TruncatedError`."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def __bool__(self) -> bool:
        return self._position < len(self._data)

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        end = self._position + count
        if end > len(self._data):
            raise TruncatedError(f"{count} bytes expected, {len(self._data) - self._position} left")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def number(self, width: int) -> int:
        """The next `width` bytes as a big-endian integer."""
        return int.from_bytes(self.take(width), "big")

    def prefixed(self, width: int) -> ByteFields:
        """The next field, preceded by its length in `width` bytes."""
        return ByteFields(self.take(self.number(width)))

    def rest(self) -> bytes:
        """All remaining bytes."""
        return self.take(len(self._data) - self._position)
