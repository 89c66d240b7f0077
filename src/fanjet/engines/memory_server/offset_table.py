"""Which offset a stream has reached, in the memory before the journal: workers give the next ones themselves.

All of it is read and written under the journal's lock. Only the engine opens and closes: while a place is closed, the
engine alone makes publications of that stream.
"""

from __future__ import annotations

from typing import Final

MOST_PLACES: Final = 131_072
"""Streams beyond these have the engine give their offsets."""

PLACE_WORDS: Final = 2
GENERATION: Final = 0
"""0 while the place is closed."""
TOP: Final = 1
"""The offset of the newest publication."""
_WORD: Final = 8

TOPS_SIZE: Final = MOST_PLACES * PLACE_WORDS * _WORD
"""Bytes."""


class Tops:
    """Two words for each place."""

    def __init__(self, memory: memoryview) -> None:
        """`memory`: `TOPS_SIZE` bytes."""
        self.words = memory.cast("Q")

    def release(self) -> None:
        """Let go of the memory."""
        self.words.release()

    def open(self, place: int, generation: int, top: int) -> None:
        """Workers that know this generation may give the offsets after `top`."""
        line = place * PLACE_WORDS
        self.words[line + TOP] = top
        self.words[line + GENERATION] = generation

    def close(self, place: int) -> None:
        """No worker may."""
        self.words[place * PLACE_WORDS + GENERATION] = 0
