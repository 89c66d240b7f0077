"""Those who read the journal, as everybody sees them in the memory before it: who is there, and waits for what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

MOST_SEATS: Final = 255
BUCKETS: Final = 8192
"""Channels are told apart by so many; who waits for one of a bucket is called for all."""
ENGINE_SEAT: Final = -1
"""The engine's own, in the line before those that it gives: it waits for no channel, only to be called when it is far
behind."""

_WORD: Final = 8
_SEAT_WORDS: Final = 8
"""A cache line for each seat, and one before them."""
_TAKEN: Final = 0
_GENERATION: Final = 0
_CALLED: Final = 1
_POSITION: Final = 2
_BUCKETS_AT: Final = (1 + MOST_SEATS) * _SEAT_WORDS * _WORD

SEATS_SIZE: Final = _BUCKETS_AT + MOST_SEATS * BUCKETS
"""Bytes."""


def bucket_of(channel: str) -> int:
    """The same in all processes."""
    return crc32(channel.encode()) % BUCKETS


class Seats:
    """A seat has a generation, 0 while nobody has it; a mark that its owner has been called to read; the position that
    it has read up to; and a byte for each bucket of channels that it waits for. Only its owner writes the last two."""

    def __init__(self, memory: memoryview) -> None:
        """`memory`: `SEATS_SIZE` bytes."""
        self._words = memory[:_BUCKETS_AT].cast("Q")
        self._buckets = memory[_BUCKETS_AT:SEATS_SIZE]

    def release(self) -> None:
        """Let go of the memory."""
        self._words.release()
        self._buckets.release()

    # ------------------------------------------------------------------------------------------ the engine

    def take(self, generation: int, position: int) -> int | None:
        """A free one for who will read from this position on, None if there is none."""
        taken = self._words[_TAKEN]
        free = next((seat for seat in range(taken) if not self._words[_line(seat) + _GENERATION]), taken)
        if free == MOST_SEATS:
            return None
        start = free * BUCKETS
        self._buckets[start : start + BUCKETS] = bytes(BUCKETS)
        line = _line(free)
        self._words[line + _CALLED] = 0
        self._words[line + _POSITION] = position
        self._words[line + _GENERATION] = generation
        self._words[_TAKEN] = max(taken, free + 1)
        return free

    def free(self, seat: int) -> None:
        """Nobody has it any more."""
        self._words[_line(seat) + _GENERATION] = 0

    # ------------------------------------------------------------------------------------------ its owner

    def wait_for(self, seat: int, bucket: int, *, waits: bool) -> None:
        """Whether it is to be called for channels of this bucket."""
        self._buckets[seat * BUCKETS + bucket] = waits

    def come(self, seat: int) -> None:
        """It is about to read, and wants to be called for what is appended from now on."""
        self._words[(1 + seat) * _SEAT_WORDS + _CALLED] = 0

    def note(self, seat: int, position: int) -> None:
        """It has read so far."""
        self._words[(1 + seat) * _SEAT_WORDS + _POSITION] = position

    # ------------------------------------------------------------------------------------------ the others

    def call(self, channels: Iterable[str], far: int, without: Collection[int]) -> list[tuple[int, int]]:
        """Mark as called who waits for any of these channels, or has not even read up to the position `far`; but none
        of those `without`, and nobody twice. Their seats and generations."""
        words, waits = self._words, self._buckets
        called: list[tuple[int, int]] = []
        buckets: set[int] | None = None
        line = 0
        if words[_POSITION] < far and not words[_CALLED]:
            words[_CALLED] = 1
            called.append((ENGINE_SEAT, 0))
        for seat in range(
            words[_TAKEN]
        ):  # without calls: it is done in every turn of the loop in which something is told
            line += _SEAT_WORDS
            generation = words[line + _GENERATION]
            if not generation or words[line + _CALLED] or seat in without:
                continue
            if buckets is None:  # who is busy has been called already: then they need not be known
                buckets = set(map(bucket_of, channels))
            start = seat * BUCKETS
            for bucket in buckets:
                if waits[start + bucket]:
                    break
            else:
                if words[line + _POSITION] >= far:
                    continue
            words[line + _CALLED] = 1
            called.append((seat, generation))
        return called


def _line(seat: int) -> int:
    return (1 + seat) * _SEAT_WORDS
