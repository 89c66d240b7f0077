"""Cuts a stream of bytes into commands: JSON by lines, Protobuf by length prefixes (02 §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PREFIX_BYTES: Final = 10


class CommandTooLong(Exception):  # noqa: N818 (says what is wrong, like the protocol's codes)
    """A command is longer than the transport allows, or nothing tells how long it is."""

    def __init__(self, start: int) -> None:
        """`start`: where it does among the bytes that were looked at."""
        super().__init__()
        self.start = start
        self.before = b""
        """The commands before it."""


class CommandStream:
    """Holds the beginning of a command until the rest of it comes."""

    __slots__ = ("_limit", "_rest", "_searched", "_split")

    def __init__(self, cut: Callable[[bytes | bytearray, int, int], tuple[int, int]], limit: int) -> None:
        """`cut` is `split_lines` or `split_prefixed`; `limit` in bytes, without newline or prefix."""
        self._split = cut
        self._limit = limit
        self._rest: bytearray | None = None
        self._searched = 0

    def feed(self, data: bytes) -> bytes:
        """Return the commands that are complete now, one after another as a frame has them; empty when none is.

        Raises `CommandTooLong`, after which nothing more can be fed.
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
    """Return where the last newline of `data` ends, and up to where there is no more; before `searched` there is none.

    Raises `CommandTooLong` for a line beyond the limit, finished or not.
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
    """Return, twice, where the last whole command of `data` ends. Raises `CommandTooLong` as soon as a prefix says so,
    or is none."""
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
