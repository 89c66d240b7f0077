"""Splits a byte stream into commands.

JSON by lines, Protobuf by length prefixes (02 §8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PREFIX_BYTES: Final = 10


class CommandTooLong(Exception):  # noqa: N818 (says what is wrong, like the protocol's codes)
    """A command exceeds the size limit, or its length prefix is invalid."""

    def __init__(self, start: int) -> None:
        """`start`: position of the command in the bytes that were split."""
        super().__init__()
        self.start = start
        self.before = b""
        """The complete commands before it."""


class CommandStream:
    """Buffers an incomplete command until the rest arrives."""

    __slots__ = ("_limit", "_rest", "_searched", "_split")

    def __init__(self, split: Callable[[bytes | bytearray, int, int], tuple[int, int]], limit: int) -> None:
        """Create a splitter without data.

        `split` is `split_lines` or `split_prefixed`; `limit` in bytes, without newline or prefix.
        """
        self._split = split
        self._limit = limit
        self._rest: bytearray | None = None
        self._searched = 0

    def feed(self, data: bytes) -> bytes:
        """Return the complete commands, concatenated as in a frame.

        Returns empty bytes if there are none. Raises `CommandTooLong`, after which the stream must not be used.
        """
        rest = self._rest
        if rest is None:
            end, self._searched = self._split_complete(data, 0)
            if end == len(data):
                return data
            self._rest = bytearray(data[end:])
            self._searched -= end
            return data[:end]
        rest += data
        end, searched = self._split_complete(rest, self._searched)
        commands = bytes(rest[:end])
        del rest[:end]
        self._searched = searched - end
        if not rest:
            self._rest = None
        return commands

    def _split_complete(self, data: bytes | bytearray, searched: int) -> tuple[int, int]:
        try:
            return self._split(data, searched, self._limit)
        except CommandTooLong as fault:
            fault.before = bytes(data[: fault.start])
            raise


def split_lines(data: bytes | bytearray, searched: int, limit: int) -> tuple[int, int]:
    """Return the end of the last complete line in `data`, and where to resume.

    The latter is the position searched so far; no newline is before `searched`. Raises `CommandTooLong` for a line
    beyond the limit, complete or not.
    """
    size = len(data)
    end = data.rfind(b"\n", searched) + 1
    if size > limit:
        start = 0
        while start < end:
            newline = data.find(b"\n", max(start, searched))
            if newline - start > limit:
                raise CommandTooLong(start)
            start = newline + 1
        if size - end > limit:
            raise CommandTooLong(end)
    return end, size


def split_prefixed(data: bytes | bytearray, searched: int, limit: int) -> tuple[int, int]:
    """Return, twice, the end of the last complete command in `data`.

    Raises `CommandTooLong` as soon as a prefix exceeds the limit or is invalid.
    """
    size, end = len(data), 0
    while end < size:
        length, shift, at = 0, 0, end
        while at < size:
            byte = data[at]
            at += 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        else:
            if size - end >= MAX_PREFIX_BYTES:
                raise CommandTooLong(end)
            break
        if length > limit:
            raise CommandTooLong(end)
        if at + length > size:
            break
        end = at + length
    return end, end
