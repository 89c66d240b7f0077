"""The table of journal readers, in shared memory.

It holds which slots are used, and the channels that each reader waits for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

MAX_READERS: Final = 255
BUCKETS: Final = 8192
"""Channels are hashed to so many buckets; a reader that waits for one channel is woken for its whole bucket."""
ENGINE_SLOT: Final = -1
"""The engine's own slot, in the line before those of the workers. It waits for no channel and is only woken when it
lags far behind."""

_WORD: Final = 8
_SLOT_WORDS: Final = 8
"""One cache line for each slot, and one before them."""
_SLOT_COUNT: Final = 0
_GENERATION: Final = 0
_NOTIFIED: Final = 1
_POSITION: Final = 2
_BUCKETS_AT: Final = (1 + MAX_READERS) * _SLOT_WORDS * _WORD

READER_TABLE_SIZE: Final = _BUCKETS_AT + MAX_READERS * BUCKETS
"""Bytes."""


def bucket_of(channel: str) -> int:
    """The bucket of a channel, equal in all processes."""
    return crc32(channel.encode()) % BUCKETS


class ReaderTable:
    """The slots of journal readers.

    A slot has a generation, 0 while it is free; a mark that its owner has been notified; the position that its owner
    has read up to; and a byte for each bucket of channels that it waits for. Only the owner writes the last two.
    """

    def __init__(self, memory: memoryview) -> None:
        """`memory`: `READER_TABLE_SIZE` bytes."""
        self._words = memory[:_BUCKETS_AT].cast("Q")
        self._buckets = memory[_BUCKETS_AT:READER_TABLE_SIZE]

    def release(self) -> None:
        """Release the memory."""
        self._words.release()
        self._buckets.release()

    # ------------------------------------------------------------------------------------------ the engine

    def allocate(self, generation: int, position: int) -> int | None:
        """Allocate a slot for a reader that starts at this position.

        None if there is no free one.
        """
        count = self._words[_SLOT_COUNT]
        free = next((slot for slot in range(count) if not self._words[_line(slot) + _GENERATION]), count)
        if free == MAX_READERS:
            return None
        start = free * BUCKETS
        self._buckets[start : start + BUCKETS] = bytes(BUCKETS)
        line = _line(free)
        self._words[line + _NOTIFIED] = 0
        self._words[line + _POSITION] = position
        self._words[line + _GENERATION] = generation
        self._words[_SLOT_COUNT] = max(count, free + 1)
        return free

    def free(self, slot: int) -> None:
        """Mark a slot as free."""
        self._words[_line(slot) + _GENERATION] = 0

    # ------------------------------------------------------------------------------------------ the owner of a slot

    def set_interest(self, slot: int, bucket: int, *, interested: bool) -> None:
        """Set whether the owner is woken for the channels of this bucket."""
        self._buckets[slot * BUCKETS + bucket] = interested

    def rearm(self, slot: int) -> None:
        """Clear the mark of a notified reader.

        The owner is about to read, and is to be notified of later appends.
        """
        self._words[(1 + slot) * _SLOT_WORDS + _NOTIFIED] = 0

    def set_position(self, slot: int, position: int) -> None:
        """Record how far the owner has read."""
        self._words[(1 + slot) * _SLOT_WORDS + _POSITION] = position

    # ------------------------------------------------------------------------------------------ the writers

    def mark_notified(self, channels: Iterable[str], behind: int, excluded: Collection[int]) -> list[tuple[int, int]]:
        """Mark the readers to be notified; return their slots and generations.

        They are those that wait for any of these channels, or have not read up to the position `behind`, except the
        `excluded` slots and those that are marked already.
        """
        words, interests = self._words, self._buckets
        notified: list[tuple[int, int]] = []
        buckets: set[int] | None = None
        line = 0
        if words[_POSITION] < behind and not words[_NOTIFIED]:
            words[_NOTIFIED] = 1
            notified.append((ENGINE_SLOT, 0))
        # This loop makes no calls: it runs in every event loop turn in which something is appended.
        for slot in range(words[_SLOT_COUNT]):
            line += _SLOT_WORDS
            generation = words[line + _GENERATION]
            if not generation or words[line + _NOTIFIED] or slot in excluded:
                continue
            if buckets is None:  # not needed when all are marked already, as busy readers are
                buckets = set(map(bucket_of, channels))
            start = slot * BUCKETS
            for bucket in buckets:
                if interests[start + bucket]:
                    break
            else:
                if words[line + _POSITION] >= behind:
                    continue
            words[line + _NOTIFIED] = 1
            notified.append((slot, generation))
        return notified


def _line(slot: int) -> int:
    return (1 + slot) * _SLOT_WORDS
