"""Readers of request bodies that arrive in several parts."""

from typing import Final, Protocol

from .expect_continue import BodyTooLarge, UnreadableBody

_MAX_CHUNK_LINE: Final = 4096
_MAX_TRAILER_BYTES: Final = 64 * 1024


class Body(Protocol):
    """Collects a body."""

    def feed(self, data: bytes) -> bytes | None:
        """Process `data`.

        Returns the bytes after the body once it is complete, None before.

        Raises `UnreadableBody`.
        """

    def value(self) -> bytes:
        """The body received so far."""

    def take(self) -> bytes:
        """Return and drop the body received so far."""


class LengthBody:
    """A body of known length."""

    __slots__ = ("_missing", "_parts")

    def __init__(self, length: int) -> None:
        self._missing = length
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> bytes | None:
        """See `Body`."""
        missing = self._missing
        if len(data) < missing:
            self._parts.append(data)
            self._missing = missing - len(data)
            return None
        self._parts.append(data[:missing])
        self._missing = 0
        return data[missing:]

    def value(self) -> bytes:
        """The body received so far."""
        return b"".join(self._parts)

    def take(self) -> bytes:
        """Return and drop the body received so far."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


class ChunkedBody:
    """A chunked body (RFC 9112 section 7.1).

    Extensions and trailers are skipped, within bounds.
    """

    __slots__ = ("_buffer", "_limit", "_missing", "_parts", "_size", "_trailer_bytes")

    _SIZE_LINE: Final = -1
    _TRAILER: Final = -2

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._buffer = bytearray()
        self._missing = self._SIZE_LINE  # or bytes missing of the current chunk, its line end included
        self._trailer_bytes = 0

    def feed(self, data: bytes) -> bytes | None:
        """See `Body`. Raises `BodyTooLarge` as soon as the chunk sizes exceed the limit."""
        buffer = self._buffer
        buffer += data
        while True:
            if self._missing >= 0:
                if not self._take_chunk(buffer):
                    return None
                continue
            line = self._take_line(buffer)
            if line is None:
                return None
            if self._missing == self._SIZE_LINE:
                self._begin_chunk(line)
            elif not line:
                return bytes(buffer)

    def value(self) -> bytes:
        """The body received so far."""
        return b"".join(self._parts)

    def take(self) -> bytes:
        """Return and drop the body received so far."""
        parts, self._parts = self._parts, []
        return b"".join(parts)

    def _take_line(self, buffer: bytearray) -> bytes | None:
        end = buffer.find(b"\n", 0, _MAX_CHUNK_LINE)
        if end < 0:
            if len(buffer) >= _MAX_CHUNK_LINE:
                raise UnreadableBody
            return None
        line = bytes(buffer[:end]).removesuffix(b"\r")
        del buffer[: end + 1]
        if self._missing == self._TRAILER:
            self._trailer_bytes += end + 1
            if self._trailer_bytes > _MAX_TRAILER_BYTES:
                raise UnreadableBody
        return line

    def _begin_chunk(self, line: bytes) -> None:
        digits = line.partition(b";")[0].rstrip(b" \t")
        if not 0 < len(digits) <= 15 or digits.strip(b"0123456789abcdefABCDEF"):
            raise UnreadableBody
        size = int(digits, 16)
        self._size += size
        if self._limit is not None and self._size > self._limit:
            raise BodyTooLarge
        self._missing = size + 2 if size else self._TRAILER

    def _take_chunk(self, buffer: bytearray) -> bool:
        """Consume the available part of the current chunk; True when it is complete."""
        missing = self._missing
        if len(buffer) < missing:
            # The line end stays in the buffer, to be checked as a whole.
            take = min(len(buffer), missing - 2)
            if take > 0:
                self._parts.append(bytes(buffer[:take]))
                del buffer[:take]
                self._missing = missing - take
            return False
        if buffer[missing - 2 : missing] != b"\r\n":
            raise UnreadableBody
        self._parts.append(bytes(buffer[: missing - 2]))
        del buffer[:missing]
        self._missing = self._SIZE_LINE
        return True
