"""The journal as the engine keeps it: it gives away the seats, tells what it has made happen, and takes what it has to
keep of what workers have."""

from __future__ import annotations

import contextlib
import os
from itertools import count
from typing import TYPE_CHECKING

from .journal import Busy, Journal
from .journal_records import FULL, entry, events_to_keep
from .messages import Published, Seat, encode
from .notifier import Bell, Bells, bell_at
from .reader_table import ENGINE_SEAT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from .messages import Event
    from .offset_slots import Place


class NotKept(Exception):  # noqa: N818 (says what happened)
    """Something that a worker has published could not be kept."""


class Announcements:
    """What is told waits until `flush` has appended it; nothing that comes after it may be said before."""

    def __init__(self, bells: str, keep: Callable[[Published], None]) -> None:
        """`bells`: what the paths of the pipes begin with that the workers are called by. `keep` what a worker has
        published."""
        self._journal = Journal.create()
        self._position = 0
        self._keep = keep
        self._opening: dict[Place, int] = {}
        """Places to be opened with what waits, and the offsets reached."""
        self._prefix = bells
        self._bells = Bells(self._journal.seats, bells)
        self._bell = Bell(_hung(bells, ENGINE_SEAT))
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
    def bell(self) -> int:
        """The descriptor of what is rung when there is much to keep up with; see `answer_bell`."""
        return self._bell.descriptor

    def answer_bell(self) -> None:
        """Be about to keep up, and want to be called again."""
        self._bell.take()
        self._journal.seats.come(ENGINE_SEAT)

    @property
    def waiting(self) -> bool:
        """Whether something has been told that is not appended yet."""
        return bool(self._events)

    def flush(self, answering: Collection[int]) -> bool:
        """Append what there is, and call all but those in these seats, who are about to be answered; False if that has
        to wait. Raises as `keep_up`."""
        while self._events:
            count = len(self._events) if self._size <= FULL else self._some()
            encoded, channels = self._events[:count], self._channels[:count]
            opened = list(self._opening.items()) if count == len(self._events) else []
            try:
                self._exchange(entry(encoded), opened)
            except Busy:
                return False
            if opened:
                self._opening.clear()
            del self._events[:count], self._channels[:count]
            self._size -= sum(map(len, encoded))
            self._bells.ring(channels, self._position, answering)
        return True

    def open(self, place: Place, top: int) -> None:
        """Let workers give offsets after `top` at this place, once what waits is appended."""
        self._opening[place] = top

    def close_place(self, place: Place) -> None:
        """Let no worker do so any more, and keep what they have published. Raises as `keep_up`."""
        self._opening.pop(place, None)
        if place.is_open:
            self._exchange(b"", closed=(place,))

    def keep_up(self) -> bool:
        """Keep all that workers have published; whether there was any. Raises `Busy`, and `FallenBehind` or
        `NotKept` if some of it is lost."""
        return self._exchange(b"")

    def _exchange(self, own: bytes, opened: Collection[tuple[Place, int]] = (), closed: Collection[Place] = ()) -> bool:
        news, self._position = self._journal.keep(self._position, own, opened, closed)
        self._journal.seats.note(ENGINE_SEAT, self._position)
        try:
            for event in events_to_keep(news):
                if type(event) is Published and event.keep is not None:
                    self._keep(event)
        except Exception as error:
            raise NotKept(f"{type(error).__name__}: {error}") from error
        return bool(news)

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
        try:
            _hung(self._prefix, number)
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
        for number in self._taken:
            _remove(bell_at(self._prefix, number))
        self._bells.close()
        self._bell.close()
        _remove(bell_at(self._prefix, ENGINE_SEAT))
        self._journal.close()


def _hung(prefix: str, seat: int) -> str:
    """The path of a new pipe."""
    path = bell_at(prefix, seat)
    _remove(path)
    os.mkfifo(path, 0o600)
    return path


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
