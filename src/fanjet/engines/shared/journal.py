"""What has happened, in one order for all: a ring of bytes in memory that the engine and its workers share.

Each appends, and each reads what the others have appended. A lock that the kernel takes from who dies holding it makes
the order, and makes what was written before visible to whoever takes it next. Nobody waits for those who read: who has
fallen behind by more than the ring holds, has missed something.
"""

from __future__ import annotations

import mmap
import os
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
from typing import Final, Self

from .seats import SEATS_SIZE, Seats

CAPACITY: Final = 64 * 1024 * 1024
"""Bytes. Memory is taken as it is first written to."""
MOST_AT_ONCE: Final = CAPACITY // 4
"""Bytes that may be appended under one lock."""
MOST_OF_PUBLICATION: Final = MOST_AT_ONCE // 2 - 1024
"""Bytes: one that is a change of another is told together with that."""
FAR_BEHIND: Final = CAPACITY // 4
"""Bytes: who has not read them is called, whatever it waits for."""

_TAKE: Final = LOCK_EX | LOCK_NB
_TRIES: Final = 4
"""The lock is held for a few µs; beyond that its holder is not running."""
_SEATS_AT: Final = 64
_HEAD: Final = (_SEATS_AT + SEATS_SIZE + 4095) & ~4095
"""Bytes before the ring: a word with its end, and the seats."""


class Busy(Exception):  # noqa: N818 (says how it is)
    """Another process has the lock for longer than it is worth trying."""


class FallenBehind(Exception):  # noqa: N818 (says what happened)
    """What has not been read yet has been overwritten."""


class Journal:
    """The ring, and the seats of those who read it. Positions count bytes since the beginning."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor` of the memory, which is closed with this."""
        self.descriptor = descriptor
        try:
            self._memory = mmap.mmap(descriptor, _HEAD + CAPACITY)
            # Opened anew: `flock` takes for one what shares the descriptor, and costs two thirds of a lock by `fcntl`.
            self._lock = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR | os.O_CLOEXEC)
        except BaseException:
            os.close(descriptor)
            raise
        self._bytes = memoryview(self._memory)
        self._end = self._bytes[:_SEATS_AT].cast("Q")
        self.seats = Seats(self._bytes[_SEATS_AT:_HEAD])

    @classmethod
    def create(cls) -> Self:
        """A new one."""
        descriptor = os.memfd_create("fanjet-journal")
        os.ftruncate(descriptor, _HEAD + CAPACITY)
        return cls(descriptor)

    def close(self) -> None:
        """Let go of it."""
        self._end.release()
        self.seats.release()
        self._bytes.release()
        self._memory.close()
        os.close(self._lock)
        os.close(self.descriptor)

    @property
    def end(self) -> int:
        """The position after what was appended last. Raises `Busy`."""
        return self.exchange(None, b"")[1]

    @property
    def about_end(self) -> int:
        """The same where it may be out of date."""
        return self._end[0]

    def exchange(self, position: int | None, own: bytes) -> tuple[bytes, int]:
        """Append `own`, `MOST_AT_ONCE` bytes at most; what others have appended since `position` (None: nothing), and
        the position after all of it. Raises `Busy` and `FallenBehind`: then nothing has been appended."""
        lock = self._lock
        for _ in range(_TRIES):
            try:
                flock(lock, _TAKE)
                break
            except BlockingIOError:
                continue
        else:
            raise Busy
        try:
            end = self._end[0]
            news = b"" if position is None or position == end else self._read(position, end)
            if own:
                self._write(end, own)
                end += len(own)
                self._end[0] = end  # the last thing: what somebody was writing who has died does not count
        finally:
            flock(lock, LOCK_UN)
        return news, end

    def _read(self, position: int, end: int) -> bytes:
        size = end - position
        if size > CAPACITY - MOST_AT_ONCE:  # beyond that somebody may have begun to write and died
            raise FallenBehind
        start = _HEAD + position % CAPACITY
        stop = start + size
        if stop <= _HEAD + CAPACITY:
            return self._memory[start:stop]
        return self._memory[start:] + self._memory[_HEAD : stop - CAPACITY]

    def _write(self, end: int, own: bytes) -> None:
        start = _HEAD + end % CAPACITY
        beyond = start + len(own) - _HEAD - CAPACITY
        if beyond <= 0:
            self._memory[start : start + len(own)] = own
        else:
            self._memory[start:] = own[:-beyond]
            self._memory[_HEAD : _HEAD + beyond] = own[-beyond:]
