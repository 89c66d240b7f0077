"""What has happened, in one order for all: a ring of bytes in memory that the engine and its workers share.

Each appends, and each reads what the others have appended. A lock that the kernel takes from who dies holding it makes
the order, and makes what was written before visible to whoever takes it next. Nobody waits for those who read: who has
fallen behind by more than the ring holds, has missed something.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from typing import Final, Self

CAPACITY: Final = 64 * 1024 * 1024
"""Bytes. Memory is taken as it is first written to."""
MOST_AT_ONCE: Final = CAPACITY // 4
"""Bytes that may be appended under one lock."""
MOST_OF_PUBLICATION: Final = MOST_AT_ONCE // 2 - 1024
"""Bytes: one that is a change of another is told together with that."""
MOST_SEATS: Final = 255

_TRIES: Final = 4
"""The lock is held for a few µs; beyond that its holder is not running."""
_END: Final = 0
_SEATS_TAKEN: Final = 1
_FIRST_SEAT: Final = 8
_SEAT_WORDS: Final = 8
"""A cache line for each seat."""
_GENERATION: Final = 0
_CALLED: Final = 1
_HEAD: Final = (_FIRST_SEAT + MOST_SEATS * _SEAT_WORDS) * 8 + 4032 & ~4095
"""Bytes before the ring."""


class Busy(Exception):  # noqa: N818 (says how it is)
    """Another process has the lock for longer than it is worth trying."""


class FallenBehind(Exception):  # noqa: N818 (says what happened)
    """What has not been read yet has been overwritten."""


class Journal:
    """The ring, and the seats of those who read it. Positions count bytes since the beginning.

    A seat has a generation, 0 while nobody has it, and a mark that its owner has been called to read.
    """

    def __init__(self, descriptor: int) -> None:
        """`descriptor` of the memory, which is closed with this."""
        self.descriptor = descriptor
        try:
            self._memory = mmap.mmap(descriptor, _HEAD + CAPACITY)
        except BaseException:
            os.close(descriptor)
            raise
        self._bytes = memoryview(self._memory)
        self._words = self._bytes[:_HEAD].cast("Q")

    @classmethod
    def create(cls) -> Self:
        """A new one."""
        descriptor = os.memfd_create("fanjet-journal")
        os.ftruncate(descriptor, _HEAD + CAPACITY)
        return cls(descriptor)

    def close(self) -> None:
        """Let go of it."""
        self._words.release()
        self._bytes.release()
        self._memory.close()
        os.close(self.descriptor)

    @property
    def end(self) -> int:
        """The position after what was appended last. Raises `Busy`."""
        return self.exchange(None, b"")[1]

    def exchange(self, position: int | None, own: bytes) -> tuple[bytes, int]:
        """Append `own`, `MOST_AT_ONCE` bytes at most; what others have appended since `position` (None: nothing), and
        the position after all of it. Raises `Busy` and `FallenBehind`: then nothing has been appended."""
        words = self._words
        self._lock()
        try:
            end = words[_END]
            news = b"" if position is None or position == end else self._read(position, end)
            if own:
                self._write(end, own)
                end += len(own)
                words[_END] = end  # the last thing: what somebody was writing who has died does not count
        finally:
            fcntl.lockf(self.descriptor, fcntl.LOCK_UN)
        return news, end

    def _lock(self) -> None:
        for _ in range(_TRIES):
            try:
                fcntl.lockf(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            return
        raise Busy

    def _read(self, position: int, end: int) -> bytes:
        size = end - position
        if size > CAPACITY - MOST_AT_ONCE:  # beyond that somebody may have begun to write and died
            raise FallenBehind
        start = position % CAPACITY
        beyond = start + size - CAPACITY
        if beyond <= 0:
            return self._memory[_HEAD + start : _HEAD + start + size]
        return self._memory[_HEAD + start :] + self._memory[_HEAD : _HEAD + beyond]

    def _write(self, end: int, own: bytes) -> None:
        start = end % CAPACITY
        beyond = start + len(own) - CAPACITY
        if beyond <= 0:
            self._bytes[_HEAD + start : _HEAD + start + len(own)] = own
        else:
            self._bytes[_HEAD + start :] = own[:-beyond]
            self._bytes[_HEAD : _HEAD + beyond] = own[-beyond:]

    # ------------------------------------------------------------------------------------------ seats

    @property
    def seats(self) -> range:
        """Those that are or have been taken."""
        return range(self._words[_SEATS_TAKEN])

    def take_seat(self, generation: int) -> int | None:
        """A free one, None if there is none. The engine alone gives seats away."""
        taken = self._words[_SEATS_TAKEN]
        free = next((seat for seat in range(taken) if not self.generation(seat)), taken)
        if free == MOST_SEATS:
            return None
        self._words[_FIRST_SEAT + free * _SEAT_WORDS + _CALLED] = 0
        self._words[_FIRST_SEAT + free * _SEAT_WORDS + _GENERATION] = generation
        self._words[_SEATS_TAKEN] = max(taken, free + 1)
        return free

    def free_seat(self, seat: int) -> None:
        """Nobody has it any more."""
        self._words[_FIRST_SEAT + seat * _SEAT_WORDS + _GENERATION] = 0

    def generation(self, seat: int) -> int:
        """Which of those who have had the seat has it now, 0: nobody."""
        return self._words[_FIRST_SEAT + seat * _SEAT_WORDS + _GENERATION]

    def call(self, seat: int) -> bool:
        """Mark that the seat's owner is called; False if it was already, and has not come yet."""
        place = _FIRST_SEAT + seat * _SEAT_WORDS + _CALLED
        if self._words[place]:
            return False
        self._words[place] = 1
        return True

    def come(self, seat: int) -> None:
        """The seat's owner is about to read: it wants to be called for what is appended from now on."""
        self._words[_FIRST_SEAT + seat * _SEAT_WORDS + _CALLED] = 0
