"""The journal as the engine keeps it: it gives away the seats, and tells what it has made happen."""

from __future__ import annotations

import contextlib
import os
from itertools import count
from typing import TYPE_CHECKING

from .bells import Bells, bell_at
from .entries import FULL, entry
from .journal import Busy, Journal
from .messages import Seat, encode

if TYPE_CHECKING:
    from collections.abc import Collection

    from .messages import Event


class Announcements:
    """What is told waits until `flush` has appended it; nothing that comes after it may be said before."""

    def __init__(self, bells: str) -> None:
        """`bells`: what the paths of the pipes begin with that the workers are called by."""
        self._journal = Journal.create()
        self._prefix = bells
        self._bells = Bells(self._journal.seats, bells)
        self._generations = count(1)
        self._taken: set[int] = set()
        """Seats."""
        self._events: list[bytes] = []
        """Encoded."""
        self._channels: list[str] = []
        """Of each of them."""
        self._size = 0

    @property
    def descriptor(self) -> int:
        """Of the journal, for the workers."""
        return self._journal.descriptor

    def tell(self, event: Event) -> None:
        """Let it happen."""
        encoded = encode(event)
        self._events.append(encoded)
        self._channels.append(event.channel)
        self._size += len(encoded)

    @property
    def waiting(self) -> bool:
        """Whether something has been told that is not appended yet."""
        return bool(self._events)

    def flush(self, answering: Collection[int]) -> bool:
        """Append what there is, and call all but those in these seats, who are about to be answered; False if that has
        to wait."""
        while self._events:
            count = len(self._events) if self._size <= FULL else self._some()
            encoded, channels = self._events[:count], self._channels[:count]
            try:
                _, end = self._journal.exchange(None, entry(encoded))
            except Busy:
                return False
            del self._events[:count], self._channels[:count]
            self._size -= sum(map(len, encoded))
            self._bells.ring(channels, end, answering)
        return True

    def _some(self) -> int:
        """How many fit into an entry; one always does."""
        size = 0
        for number, encoded in enumerate(self._events):
            size += len(encoded)
            if size > FULL:
                return max(1, number)
        return len(self._events)

    def take_seat(self) -> Seat | None:
        """A place for one who reads, with a bell; None if there is none any more. Raises `OSError`."""
        number = self._journal.seats.take(next(self._generations), self._journal.about_end)
        if number is None:
            return None
        path = bell_at(self._prefix, number)
        try:
            _remove(path)
            os.mkfifo(path, 0o600)
        except OSError:
            self._journal.seats.free(number)
            raise
        self._taken.add(number)
        return Seat(number, self._prefix)

    def free_seat(self, seat: Seat) -> None:
        """Who had it is gone."""
        self._journal.seats.free(seat.number)
        self._taken.discard(seat.number)
        _remove(bell_at(self._prefix, seat.number))

    def close(self) -> None:
        """Tell no more. Those who read do so until they notice."""
        self.flush(())
        for number in self._taken:
            _remove(bell_at(self._prefix, number))
        self._bells.close()
        self._journal.close()


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
