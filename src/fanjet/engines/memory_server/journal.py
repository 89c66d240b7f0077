"""The event journal: a ring buffer in shared memory.

The engine and its workers share it, so that events have one order for all.

Each process appends, and reads the records of the others. The order comes from a lock, which the kernel releases when
its holder dies, and which makes earlier writes visible to the next holder. Writers do not wait for workers that read: a
worker that lags by more than the ring holds has missed events. Records that the engine has to store are never
overwritten before.
"""

from __future__ import annotations

import mmap
import os
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
from typing import TYPE_CHECKING, Final, Self

from .offset_table import GENERATION, OFFSET, OFFSET_SLOT_WORDS, OFFSET_TABLE_SIZE, OffsetTable
from .reader_table import READER_TABLE_SIZE, ReaderTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .offset_slots import OffsetSlot

CAPACITY: Final = 64 * 1024 * 1024
"""Bytes. The kernel allocates the memory as it is first written to."""
MAX_APPEND: Final = CAPACITY // 4
"""Bytes that may be appended while the lock is held once."""
MAX_PUBLICATION: Final = MAX_APPEND // 2 - 1024
"""Bytes. A delta publication is appended together with its base."""
WAKEUP_LAG: Final = CAPACITY // 4
"""Bytes. A reader that lags by more is woken whatever channels it waits for."""

_LOCK: Final = LOCK_EX | LOCK_NB
_TRIES: Final = 4
_YIELDS: Final = 16
"""The lock is held for a few µs. After that its holder is not running, and is given the processor."""
MAX_UNSTORED: Final = CAPACITY // 4
"""Bytes. While the engine lags by more, workers let it publish to streams."""

_READERS_AT: Final = 64
_OFFSETS_AT: Final = _READERS_AT + READER_TABLE_SIZE
_HEAD: Final = (_OFFSETS_AT + OFFSET_TABLE_SIZE + 4095) & ~4095
"""Bytes before the ring: the words below, the reader table and the offset table."""
_END: Final = 0
_STORED: Final = 1
"""The position that the engine has read up to."""
_TO_STORE: Final = 2
"""The end of the last record that the engine has to store."""
_PENDING_SLOT: Final = 3
"""The offset slot, counted from 1, whose next publication is being appended; with its offset and position below."""
_PENDING_OFFSET: Final = 4
_PENDING_POSITION: Final = 5


class Busy(Exception):  # noqa: N818 (a state, not an error)
    """Another process holds the lock for too long, or the engine has to read first.

    Try again later.
    """


class Overrun(Exception):  # noqa: N818 (the term for ring buffers)
    """Unread records have been overwritten."""


class Journal:
    """The ring buffer with its reader and offset tables.

    Positions count bytes since the creation.
    """

    def __init__(self, descriptor: int) -> None:
        """`descriptor`: of the shared memory; it is closed with the journal."""
        self.descriptor = descriptor
        try:
            self._memory = mmap.mmap(descriptor, _HEAD + CAPACITY)
            # Opened again: `flock` does not exclude processes that share an open file. It costs two thirds of an
            # `fcntl` lock.
            self._lock = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR | os.O_CLOEXEC)
        except BaseException:
            os.close(descriptor)
            raise
        self._bytes = memoryview(self._memory)
        self._words = self._bytes[:_READERS_AT].cast("Q")
        self.readers = ReaderTable(self._bytes[_READERS_AT:_OFFSETS_AT])
        self.offsets = OffsetTable(self._bytes[_OFFSETS_AT : _OFFSETS_AT + OFFSET_TABLE_SIZE])

    @classmethod
    def create(cls) -> Self:
        """Create a journal in new shared memory."""
        descriptor = os.memfd_create("fanjet-journal")
        os.ftruncate(descriptor, _HEAD + CAPACITY)
        return cls(descriptor)

    def close(self) -> None:
        """Release the memory and the lock."""
        self._words.release()
        self.readers.release()
        self.offsets.release()
        self._bytes.release()
        self._memory.close()
        os.close(self._lock)
        os.close(self.descriptor)

    @property
    def end(self) -> int:
        """The position after the last record. Raises `Busy`."""
        return self.exchange(None, b"")[1]

    @property
    def approximate_end(self) -> int:
        """The same without the lock, so it may be out of date."""
        return self._words[_END]

    def exchange(self, position: int | None, data: bytes) -> tuple[bytes, int]:
        """Append `data`, `MAX_APPEND` bytes at most.

        Returns the records that others have appended since `position` (none if that is None), and the position after
        `data`. Raises `Busy` and `Overrun`, having appended nothing.
        """
        try:
            flock(self._lock, _LOCK)
        except BlockingIOError:
            self._retry_lock()
        words = self._words
        try:
            stored = words[_STORED]
            if data and words[_TO_STORE] > stored and words[_END] + len(data) - stored > CAPACITY - MAX_APPEND:
                raise Busy
            return self._exchange(position, data)
        finally:
            flock(self._lock, LOCK_UN)

    def append_next(self, slot: int, generation: int, make_record: Callable[[int], bytes]) -> tuple[int, int, int]:
        """Append a record that the engine has to store.

        `make_record` makes it from the next offset of this slot. Returns the offset, and the positions before and after
        the record. Offset 0: nothing was appended, since the slot is closed or belongs to another stream, or the engine
        lags too far behind. Raises `Busy`.
        """
        try:
            flock(self._lock, _LOCK)
        except BlockingIOError:
            self._retry_lock()
        words, offsets = self._words, self.offsets.words
        line = slot * OFFSET_SLOT_WORDS
        try:
            if words[_PENDING_SLOT]:
                self._recover()
            end = words[_END]
            if offsets[line + GENERATION] != generation or end - words[_STORED] > MAX_UNSTORED:
                return 0, end, end
            offset = offsets[line + OFFSET] + 1
            data = make_record(offset)
            begin = end
            words[_PENDING_OFFSET], words[_PENDING_POSITION] = offset, begin
            words[_PENDING_SLOT] = 1 + slot
            offsets[line + OFFSET] = offset
            self._write(begin, data)
            end += len(data)
            words[_TO_STORE] = end
            words[_END] = end
            words[_PENDING_SLOT] = 0
            return offset, begin, end
        finally:
            flock(self._lock, LOCK_UN)

    # ------------------------------------------------------------------------------------------ for the engine

    def sync(
        self,
        position: int,
        data: bytes,
        opened: Iterable[tuple[OffsetSlot, int]] = (),
        closed: Iterable[OffsetSlot] = (),
    ) -> tuple[bytes, int]:
        """See `exchange`; records before the first one to store may be left out.

        Opens slots with the newest offsets of their streams, and closes others.
        """
        try:
            flock(self._lock, _LOCK)
        except BlockingIOError:
            self._retry_lock()
        try:
            if self._words[_TO_STORE] <= position:
                position = self._words[_END]
            records, end = self._exchange(position, data)
            for slot, offset in opened:
                self.offsets.open(slot.number, slot.generation, offset)
                slot.is_open = True
            for slot in closed:
                self.offsets.close(slot.number)
                slot.is_open = False
            self._words[_STORED] = end
            return records, end
        finally:
            flock(self._lock, LOCK_UN)

    # ------------------------------------------------------------------------------------------ under the lock

    def _retry_lock(self) -> None:
        for attempt in range(_TRIES + _YIELDS):
            if attempt >= _TRIES:
                os.sched_yield()
            try:
                flock(self._lock, _LOCK)
            except BlockingIOError:
                continue
            return
        raise Busy

    def _recover(self) -> None:
        """A process has died while it assigned an offset.

        Take the offset back, unless its record was completed.
        """
        words = self._words
        if words[_END] == words[_PENDING_POSITION]:
            self.offsets.words[(words[_PENDING_SLOT] - 1) * OFFSET_SLOT_WORDS + OFFSET] = words[_PENDING_OFFSET] - 1
        words[_PENDING_SLOT] = 0

    def _exchange(self, position: int | None, data: bytes) -> tuple[bytes, int]:
        words = self._words
        if words[_PENDING_SLOT]:
            self._recover()
        end = words[_END]
        records = b"" if position is None or position == end else self._read(position, end)
        if data:
            self._write(end, data)
            end += len(data)
            words[_END] = end  # last, so that a record is ignored whose writer died while writing it
        return records, end

    def _read(self, position: int, end: int) -> bytes:
        size = end - position
        if size > CAPACITY - MAX_APPEND:  # a writer that has died may have overwritten older bytes
            raise Overrun
        start = _HEAD + position % CAPACITY
        stop = start + size
        if stop <= _HEAD + CAPACITY:
            return self._memory[start:stop]
        return self._memory[start:] + self._memory[_HEAD : stop - CAPACITY]

    def _write(self, end: int, data: bytes) -> None:
        start = _HEAD + end % CAPACITY
        beyond = start + len(data) - _HEAD - CAPACITY
        if beyond <= 0:
            self._memory[start : start + len(data)] = data
        else:
            self._memory[start:] = data[:-beyond]
            self._memory[_HEAD : _HEAD + beyond] = data[-beyond:]
