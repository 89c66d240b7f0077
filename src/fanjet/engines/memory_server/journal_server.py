"""The engine's side of the journal.

It registers readers, appends events, and stores the publications of workers.
"""

from __future__ import annotations

import contextlib
import os
from itertools import count
from typing import TYPE_CHECKING

from .journal import Busy, Journal
from .journal_records import MAX_RECORD, decode_records_to_store, encode_record
from .messages import Published, ReaderSlot, encode
from .notifier import Notifier, WakeupPipe, pipe_path
from .reader_table import ENGINE_SLOT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from .messages import Event
    from .offset_slots import OffsetSlot


class StoreFailed(Exception):  # noqa: N818 (says what happened)
    """A publication of a worker could not be stored."""


class JournalServer:
    """The engine's reader and writer of the journal.

    Events are buffered until `flush` has appended them; no reply to a later call may be sent before.
    """

    def __init__(self, pipe_prefix: str, store: Callable[[Published], None]) -> None:
        """`pipe_prefix`: the prefix of the paths of all wakeup pipes.

        `store` stores a publication of a worker.
        """
        self._journal = Journal.create()
        self._position = 0
        self._store = store
        self._slots_to_open: dict[OffsetSlot, int] = {}
        """Slots that are opened with the buffered events, and the newest offsets of their streams."""
        self._prefix = pipe_prefix
        self._notifier = Notifier(self._journal.readers, pipe_prefix)
        self._wakeup_pipe = WakeupPipe(_create_pipe(pipe_prefix, ENGINE_SLOT))
        self._generations = count(1)
        self._reader_slots: set[int] = set()
        self._events: list[bytes] = []
        """Encoded."""
        self._channels: list[str] = []
        """The channel of each of the events."""
        self._size = 0

    @property
    def descriptor(self) -> int:
        """The descriptor of the journal, for the workers."""
        return self._journal.descriptor

    def append(self, event: Event) -> None:
        """Buffer an event."""
        encoded = encode(event)
        self._events.append(encoded)
        self._channels.append(event.channel)
        self._size += len(encoded)

    @property
    def wakeup_descriptor(self) -> int:
        """Becomes readable when the engine lags far behind; see `acknowledge_wakeup`."""
        return self._wakeup_pipe.descriptor

    def acknowledge_wakeup(self) -> None:
        """Enable the next wakeup; `sync` has to follow."""
        self._wakeup_pipe.drain()
        self._journal.readers.rearm(ENGINE_SLOT)

    @property
    def has_pending(self) -> bool:
        """Whether buffered events have not been appended yet."""
        return bool(self._events)

    def flush(self, excluded: Collection[int]) -> bool:
        """Append the buffered events and wake their readers.

        Readers in the `excluded` slots are not woken: they are about to receive a reply. False: the journal is busy.
        Raises as `sync`.
        """
        while self._events:
            count = len(self._events) if self._size <= MAX_RECORD else self._fitting_count()
            encoded, channels = self._events[:count], self._channels[:count]
            opened = list(self._slots_to_open.items()) if count == len(self._events) else []
            try:
                self._exchange(encode_record(encoded), opened)
            except Busy:
                return False
            if opened:
                self._slots_to_open.clear()
            del self._events[:count], self._channels[:count]
            self._size -= sum(map(len, encoded))
            self._notifier.notify(channels, self._position, excluded)
        return True

    def open_slot(self, slot: OffsetSlot, offset: int) -> None:
        """Let workers assign the offsets after `offset`.

        They may do so once the buffered events have been appended.
        """
        self._slots_to_open[slot] = offset

    def close_slot(self, slot: OffsetSlot) -> None:
        """Let no worker assign offsets any more, and store what they have published.

        Raises as `sync`.
        """
        self._slots_to_open.pop(slot, None)
        if slot.is_open:
            self._exchange(b"", closed=(slot,))

    def sync(self) -> bool:
        """Store all that workers have published; whether there was anything.

        Raises `Busy`, and `Overrun` or `StoreFailed` if a publication is lost.
        """
        return self._exchange(b"")

    def _exchange(
        self, data: bytes, opened: Collection[tuple[OffsetSlot, int]] = (), closed: Collection[OffsetSlot] = ()
    ) -> bool:
        records, self._position = self._journal.sync(self._position, data, opened, closed)
        self._journal.readers.set_position(ENGINE_SLOT, self._position)
        try:
            for event in decode_records_to_store(records):
                if type(event) is Published and event.retention is not None:
                    self._store(event)
        except Exception as error:
            raise StoreFailed(f"{type(error).__name__}: {error}") from error
        return bool(records)

    def _fitting_count(self) -> int:
        """The number of buffered events that fit into one record, at least one."""
        size = 0
        for number, encoded in enumerate(self._events):
            size += len(encoded)
            if size > MAX_RECORD:
                return max(1, number)
        return len(self._events)

    def add_reader(self) -> ReaderSlot | None:
        """Register a reader and create its wakeup pipe; None if there are too many.

        Raises `OSError`.
        """
        number = self._journal.readers.allocate(next(self._generations), self._journal.approximate_end)
        if number is None:
            return None
        try:
            _create_pipe(self._prefix, number)
        except OSError:
            self._journal.readers.free(number)
            raise
        self._reader_slots.add(number)
        return ReaderSlot(number, self._prefix)

    def remove_reader(self, slot: ReaderSlot) -> None:
        """Remove a reader that has disconnected."""
        self._journal.readers.free(slot.number)
        self._reader_slots.discard(slot.number)
        _remove(pipe_path(self._prefix, slot.number))

    def close(self) -> None:
        """Remove the pipes and release the journal. Workers use it until they notice."""
        for number in self._reader_slots:
            _remove(pipe_path(self._prefix, number))
        self._notifier.close()
        self._wakeup_pipe.close()
        _remove(pipe_path(self._prefix, ENGINE_SLOT))
        self._journal.close()


def _create_pipe(prefix: str, slot: int) -> str:
    """Create the named pipe of a reader slot and return its path."""
    path = pipe_path(prefix, slot)
    _remove(path)
    os.mkfifo(path, 0o600)
    return path


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
