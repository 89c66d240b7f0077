"""What has happened, in one order for all: a ring of bytes in memory that the engine and its workers share.

Each appends, and each reads what the others have appended. A lock that the kernel takes from who dies holding it makes
the order, and makes what was written before visible to whoever takes it next. Nobody waits for workers that read:
who has fallen behind by more than the ring holds, has missed something. Over what the engine has to keep nobody writes.
"""

from __future__ import annotations

import mmap
import os
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
from typing import TYPE_CHECKING, Final, Self

from .offset_table import GENERATION, PLACE_WORDS, TOP, TOPS_SIZE, Tops
from .reader_table import SEATS_SIZE, Seats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .offset_slots import Place

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
_YIELDS: Final = 16
"""The lock is held for a few µs; beyond that its holder is not running, and gets the processor."""
MOST_UNKEPT: Final = CAPACITY // 4
"""Bytes: an engine that is further behind is waited for by who has something for it to keep."""

_SEATS_AT: Final = 64
_TOPS_AT: Final = _SEATS_AT + SEATS_SIZE
_HEAD: Final = (_TOPS_AT + TOPS_SIZE + 4095) & ~4095
"""Bytes before the ring: some words, the seats, and what the streams have reached."""
_END: Final = 0
_KEPT: Final = 1
"""How far the engine has read."""
_TO_KEEP: Final = 2
"""The end of what was appended last for it to keep."""
_UNDER_WAY: Final = 3
"""The place, counted from 1, whose next publication is being appended; with its offset and the position of that."""
_OFFSET: Final = 4
_BEGUN_AT: Final = 5


class Busy(Exception):  # noqa: N818 (says how it is)
    """Another process has the lock for longer than it is worth trying, or the engine has to read first."""


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
        self._words = self._bytes[:_SEATS_AT].cast("Q")
        self.seats = Seats(self._bytes[_SEATS_AT:_TOPS_AT])
        self.tops = Tops(self._bytes[_TOPS_AT : _TOPS_AT + TOPS_SIZE])

    @classmethod
    def create(cls) -> Self:
        """A new one."""
        descriptor = os.memfd_create("fanjet-journal")
        os.ftruncate(descriptor, _HEAD + CAPACITY)
        return cls(descriptor)

    def close(self) -> None:
        """Let go of it."""
        self._words.release()
        self.seats.release()
        self.tops.release()
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
        return self._words[_END]

    def exchange(self, position: int | None, own: bytes) -> tuple[bytes, int]:
        """Append `own`, `MOST_AT_ONCE` bytes at most; what others have appended since `position` (None: nothing), and
        the position after all of it. Raises `Busy` and `FallenBehind`: then nothing has been appended."""
        try:
            flock(self._lock, _TAKE)
        except BlockingIOError:
            self._try_again()
        words = self._words
        try:
            kept = words[_KEPT]
            if own and words[_TO_KEEP] > kept and words[_END] + len(own) - kept > CAPACITY - MOST_AT_ONCE:
                raise Busy
            return self._exchange(position, own)
        finally:
            flock(self._lock, LOCK_UN)

    def append_next(self, place: int, generation: int, own_with: Callable[[int], bytes]) -> tuple[int, int, int]:
        """Append what the engine is to keep, `own_with` the next offset of this place; that offset, and the positions
        before and after it. Offset 0: the place is closed or another's, or the engine too far behind. Raises `Busy`."""
        try:
            flock(self._lock, _TAKE)
        except BlockingIOError:
            self._try_again()
        words, tops = self._words, self.tops.words
        line = place * PLACE_WORDS
        try:
            if words[_UNDER_WAY]:
                self._mend()
            end = words[_END]
            if tops[line + GENERATION] != generation or end - words[_KEPT] > MOST_UNKEPT:
                return 0, end, end
            offset = tops[line + TOP] + 1
            own = own_with(offset)
            begin = end
            words[_OFFSET], words[_BEGUN_AT] = offset, begin
            words[_UNDER_WAY] = 1 + place
            tops[line + TOP] = offset
            self._write(begin, own)
            end += len(own)
            words[_TO_KEEP] = end
            words[_END] = end
            words[_UNDER_WAY] = 0
            return offset, begin, end
        finally:
            flock(self._lock, LOCK_UN)

    # ------------------------------------------------------------------------------------------ the engine

    def keep(
        self, position: int, own: bytes, opened: Iterable[tuple[Place, int]] = (), closed: Iterable[Place] = ()
    ) -> tuple[bytes, int]:
        """The same as `exchange`, where only what is to be kept is of interest; places are `opened` with the offset
        that their streams have reached, others `closed`."""
        try:
            flock(self._lock, _TAKE)
        except BlockingIOError:
            self._try_again()
        try:
            if self._words[_TO_KEEP] <= position:
                position = self._words[_END]
            news, end = self._exchange(position, own)
            for place, top in opened:
                self.tops.open(place.number, place.generation, top)
                place.is_open = True
            for place in closed:
                self.tops.close(place.number)
                place.is_open = False
            self._words[_KEPT] = end
            return news, end
        finally:
            flock(self._lock, LOCK_UN)

    # ------------------------------------------------------------------------------------------ under the lock

    def _try_again(self) -> None:
        for attempt in range(_TRIES + _YIELDS):
            if attempt >= _TRIES:
                os.sched_yield()
            try:
                flock(self._lock, _TAKE)
            except BlockingIOError:
                continue
            return
        raise Busy

    def _mend(self) -> None:
        """Who was giving an offset has died. What it was for does not count, unless the end is already behind it."""
        words = self._words
        if words[_END] == words[_BEGUN_AT]:
            self.tops.words[(words[_UNDER_WAY] - 1) * PLACE_WORDS + TOP] = words[_OFFSET] - 1
        words[_UNDER_WAY] = 0

    def _exchange(self, position: int | None, own: bytes) -> tuple[bytes, int]:
        words = self._words
        if words[_UNDER_WAY]:
            self._mend()
        end = words[_END]
        news = b"" if position is None or position == end else self._read(position, end)
        if own:
            self._write(end, own)
            end += len(own)
            words[_END] = end  # the last thing: what somebody was writing who has died does not count
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
