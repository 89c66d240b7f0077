"""What happens, as a worker tells it and hears of it, by way of the journal."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from msgspec import MsgspecError

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.engines.interfaces import Published as Placed
from fanjet.telemetry.logging import get_logger

from .journal import CAPACITY, MOST_AT_ONCE, MOST_OF_PUBLICATION, Busy, FallenBehind
from .journal_records import FULL, HEAD_SIZE, entry, events_in, parts
from .local_publish import publication_now
from .messages import Published, encode
from .notifier import Bell, Bells, bell_at
from .reader_table import bucket_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fanjet.engines.interfaces import PublishOptions

    from .journal import Journal
    from .messages import Event, Position, Seat

log = get_logger(__name__)

SLICE_SECONDS: Final = 0.002
"""Time for delivering until the loop gets its turn."""
SLICE_CHECK: Final = 16
"""Events between two looks at the clock."""
BUSY_SECONDS: Final = 0.001
"""Until who has the lock is likely to have finished."""
MOST_UNHEARD: Final = CAPACITY - MOST_AT_ONCE
"""Bytes of others: who is further behind with delivering, misses some."""
CLOSE_TRIES: Final = 1000
"""To tell and hear what there is in the end, so many `BUSY_SECONDS` long."""


class Tidings:
    """Events told in one turn of the loop are appended to the journal together, at its end, or before what needs an
    offset at once. They are delivered with that turn, here as everywhere: after those that stand before them.

    What has been told is as good as done, whatever becomes of the engine: with this turn of the loop it reaches
    everybody, as with the engine in the same process.
    """

    def __init__(
        self,
        journal: Journal,
        seat: Seat,
        *,
        take: Callable[[Sequence[Event]], None],
        lose: Callable[[str], None],
        on_publication_pending: Callable[[], None],
    ) -> None:
        """`take` events that have happened, `SLICE_CHECK` at most. `lose`: events have been missed.
        `on_publication_pending`: something has been told, to be taken with this turn. Raises `EngineUnavailable`."""
        self._loop = asyncio.get_running_loop()
        self._journal = journal
        self._seat = seat.number
        self._take = take
        self._lose = lose
        self._on_publication_pending = on_publication_pending
        self._bell = Bell(bell_at(seat.bells, seat.number))
        self._bells = Bells(journal.seats, seat.bells)
        self._position: int | None = None
        self._own: list[bytes] = []
        self._own_events: list[Event] = []
        self._own_size = HEAD_SIZE
        self._appended: list[Event] = []
        """Of one's own, before what others append after `position`."""
        self._rings: list[str] = []
        """Channels in which there is something that others have not been called for yet."""
        self._awaited: Counter[int] = Counter()
        """How many channels are waited for, by bucket."""
        self._undelivered: deque[tuple[Iterator[Sequence[Event]], int]] = deque()
        """With how many bytes of others that is."""
        self._unheard = 0
        """Bytes of others in all of it."""
        self._delivering = False
        self._next_turn: asyncio.Handle | None = None
        self._is_announced = False
        """Whether it has been said that something is delivered with that turn."""
        self._leaving = False
        self._loop.add_reader(self._bell.descriptor, self._on_bell)

    async def begin(self) -> None:
        """Hear of what happens from now on."""
        while self._position is None:
            try:
                self._position = self._journal.end
            except Busy:
                await asyncio.sleep(BUSY_SECONDS)
        self._journal.seats.come(self._seat)  # who called before the bell was up has not been heard

    def wait_for(self, channels: Iterable[str]) -> None:
        """Be called from now on when something happens in these channels, and hear what has happened before."""
        for channel in channels:
            bucket = bucket_of(channel)
            self._awaited[bucket] += 1
            self._journal.seats.wait_for(self._seat, bucket, waits=True)
        self.hear()

    def wait_no_more(self, channel: str) -> None:
        """This one is of no interest any more."""
        bucket = bucket_of(channel)
        self._awaited[bucket] -= 1
        if not self._awaited[bucket]:
            del self._awaited[bucket]
            self._journal.seats.wait_for(self._seat, bucket, waits=False)

    def tell(self, event: Event) -> None:
        """Let it happen. Raises `EngineUnavailable`."""
        encoded = encode(event)
        size = len(encoded)
        if self._own_size + size > FULL:
            self._make_room(size)
        self._own.append(encoded)
        self._own_events.append(event)
        self._own_size += size
        self._rings.append(event.channel)
        if not self._is_announced:
            self._begin_turn()

    def tell_next(self, place: Position, channel: str, data: bytes, options: PublishOptions) -> Placed | None:
        """Let a publication happen that the engine is to keep, with the next offset of its stream: it is appended at
        once, since the offset is. None: the engine has to be asked. Raises `EngineUnavailable`."""
        if self._own_size + len(data) > FULL:
            return None
        own, events = self._own, self._own_events

        def own_with(offset: int) -> bytes:
            keep = (options.history_size, options.history_ttl, options.history_meta_ttl)
            event = Published(channel, publication_now(data, options, offset), place.epoch, False, None, keep)
            encoded = encode(event)
            if len(encoded) > MOST_OF_PUBLICATION:
                raise EngineUnavailable(f"an event of {len(encoded)} bytes is too long for the engine")
            events.append(event)
            return entry([*own, encoded] if own else (encoded,), keep=True)

        try:
            offset, begin, end = self._journal.append_next(place.place, place.generation, own_with)
        except Busy:
            return None
        if not offset:
            return None
        if begin == self._position:
            self._position = end
            self._appended += events
        # else it comes back with what others have appended before
        if own:
            self._forget_own()
        else:
            events.clear()
        self._rings.append(channel)
        if not self._is_announced:
            self._begin_turn()
        return Placed(offset, place.epoch)

    def flush(self) -> bool:
        """Let all that was told stand in the journal now; False if that has to wait."""
        return not self._own or self._exchange()

    def hear(self) -> bool:
        """Deliver what has happened; False if that takes another turn of the loop."""
        if self._leaving or self._delivering:
            return self._leaving
        # Nothing more is taken over while there is something to deliver, unless something of one's own goes behind it:
        # who cannot keep up is to fall behind in the journal, not to collect it; that has a limit as well.
        if self._undelivered and not self._rings and not self._deliver():
            return False
        return self._exchange() and self._deliver()

    async def close(self) -> None:
        """Tell what there is to tell, and hear what there is to hear; no more from now on."""
        self._leaving = True
        is_told = False
        for _ in range(CLOSE_TRIES):
            if not is_told or self._own:  # else there would be more to deliver each time
                is_told = self._exchange()
            if is_told and self._deliver() and not self._own:
                break
            await asyncio.sleep(0 if is_told else BUSY_SECONDS)
        else:
            log.error("events have not been told, or not been delivered, as this worker leaves")
        if self._next_turn is not None:
            self._next_turn.cancel()
        self._loop.remove_reader(self._bell.descriptor)
        self._bell.close()
        self._bells.close()
        self._journal.close()

    # ------------------------------------------------------------------------------------------ inside

    def _on_bell(self) -> None:
        # In this order: who appends after the look into the journal, under its lock, finds the mark gone, and rings.
        self._bell.take()
        self._journal.seats.come(self._seat)
        self.hear()

    def _begin_turn(self) -> None:
        if self._next_turn is not None:
            self._next_turn.cancel()
        self._next_turn = self._loop.call_soon(self._turn)
        self._is_announced = True
        self._on_publication_pending()

    def _turn(self) -> None:
        self._next_turn = None
        self._is_announced = False
        end = self._journal.about_end
        if self._appended and end == self._position and not (self._own or self._undelivered or self._leaving):
            # Nothing of others stands before it: that need not be asked for under the lock. Who has appended since has
            # rung, or finds that it has been rung.
            self._take_over(b"", end)
            self._deliver()
        else:
            self.hear()

    def _turn_later(self, seconds: float = 0) -> None:
        if self._next_turn is not None:
            self._next_turn.cancel()
        self._is_announced = False
        self._next_turn = self._loop.call_later(seconds, self._turn) if seconds else self._loop.call_soon(self._turn)

    def _make_room(self, size: int) -> None:
        if size > MOST_OF_PUBLICATION:
            raise EngineUnavailable(f"an event of {size} bytes is too long for the engine")
        if self._own:
            self._exchange()
            if self._own_size + size > MOST_AT_ONCE:
                raise EngineUnavailable("the engine, or another worker, takes too long with the journal")

    def _exchange(self) -> bool:
        """Append what was told, and take over what stands before it. False: it has to wait."""
        own = entry(self._own) if self._own else b""
        position, unheard = self._position, self._unheard
        try:
            if unheard and position is not None and unheard + self._journal.about_end - position > MOST_UNHEARD:
                raise FallenBehind
            news, end = self._journal.exchange(position, own)
        except Busy:
            self._turn_later(BUSY_SECONDS)
            return False
        except FallenBehind:
            self._position = None  # what is to come is still told and heard, until there is another beginning
            self._lose("events came faster than they were delivered")
            return self._exchange()
        self._take_over(news, end)
        return True

    def _take_over(self, news: bytes, end: int) -> None:
        """All is to be delivered that stands in the journal up to `end`, what was told included; others are called."""
        self._position = end
        self._journal.seats.note(self._seat, end)
        if self._appended:
            self._undelivered.append((parts(self._appended, SLICE_CHECK), 0))
            self._appended = []
        if news:
            self._undelivered.append((events_in(news, SLICE_CHECK), len(news)))
            self._unheard += len(news)
        if self._own:
            self._undelivered.append((parts(self._own_events, SLICE_CHECK), 0))
            self._forget_own()
        if self._rings:
            self._bells.ring(self._rings, end, (self._seat,))
            self._rings.clear()

    def _forget_own(self) -> None:
        self._own, self._own_events, self._own_size = [], [], HEAD_SIZE

    def _deliver(self) -> bool:
        """For a while; whether that was all."""
        undelivered, take = self._undelivered, self._take
        until = 0.0
        count = 0
        self._delivering = True
        try:
            while undelivered:
                for events in undelivered[0][0]:
                    take(events)
                    count += len(events)
                    if count < SLICE_CHECK:
                        continue
                    count = 0
                    now = self._loop.time()
                    until = until or now + SLICE_SECONDS
                    if now > until:
                        self._turn_later()
                        return False
                self._unheard -= undelivered.popleft()[1]
        except MsgspecError as error:
            undelivered.clear()
            self._unheard = 0
            self._lose(f"the journal holds what is no event: {error}")
        finally:
            self._delivering = False
        return True
