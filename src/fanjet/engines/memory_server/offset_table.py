"""The newest offsets of streams, in shared memory.

The table precedes the journal; workers assign the next offsets from it.

All access is under the journal's lock. Only the engine opens and closes slots: while the slot of a stream is closed,
only the engine appends publications to that stream.
"""

from __future__ import annotations

from typing import Final

MAX_OFFSET_SLOTS: Final = 131_072
"""The engine assigns the offsets of streams beyond these."""

OFFSET_SLOT_WORDS: Final = 2
GENERATION: Final = 0
"""0 while the slot is closed."""
OFFSET: Final = 1
"""The offset of the newest publication."""
_WORD: Final = 8

OFFSET_TABLE_SIZE: Final = MAX_OFFSET_SLOTS * OFFSET_SLOT_WORDS * _WORD
"""Bytes."""


class OffsetTable:
    """Two words for each slot."""

    def __init__(self, memory: memoryview) -> None:
        """`memory`: `OFFSET_TABLE_SIZE` bytes."""
        self.words = memory.cast("Q")

    def release(self) -> None:
        """Release the memory."""
        self.words.release()

    def open(self, slot: int, generation: int, offset: int) -> None:
        """Let workers that know this generation assign the offsets after `offset`."""
        line = slot * OFFSET_SLOT_WORDS
        self.words[line + OFFSET] = offset
        self.words[line + GENERATION] = generation

    def close(self, slot: int) -> None:
        """Let no worker assign offsets."""
        self.words[slot * OFFSET_SLOT_WORDS + GENERATION] = 0
