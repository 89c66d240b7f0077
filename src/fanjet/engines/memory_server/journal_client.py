"""A worker's reader and writer of the shared journal."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from msgspec import MsgspecError

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.engines.interfaces import Published as PublishResult
from fanjet.telemetry.logging import get_logger

from .journal import CAPACITY, MAX_APPEND, MAX_PUBLICATION, Busy, Overrun
from .journal_records import HEAD_SIZE, MAX_RECORD, batches, decode_records, encode_record
from .local_publish import make_publication
from .messages import Published, encode
from .notifier import Notifier, WakeupPipe, pipe_path
from .reader_table import bucket_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fanjet.engines.interfaces import PublishOptions

    from .journal import Journal
    from .messages import Event, Position, ReaderSlot

log = get_logger(__name__)

SLICE_SECONDS: Final = 0.002
"""Time for delivering events within one turn of the event loop."""
SLICE_CHECK: Final = 16
"""Events between two readings of the clock."""
BUSY_SECONDS: Final = 0.001
"""Pause until another process is likely to have released the lock."""
MAX_UNDELIVERED: Final = CAPACITY - MAX_APPEND
"""Bytes of other processes' records. A worker that is further behind with delivering misses events."""
CLOSE_TRIES: Final = 1000
"""Attempts to append and deliver the last events, `BUSY_SECONDS` apart."""


class JournalClient:
    """A worker's reader and writer of the journal.

    Events of one turn of the event loop are appended to the journal together at the end of the turn, or earlier, before
    a publication that needs its offset at once. They are delivered with that turn, in this process as in the others,
    after the events before them in the journal.

    A buffered event does not depend on the engine: it reaches all workers with this turn, as with an engine in the same
    process.
    """

    def __init__(
        self,
        journal: Journal,
        reader_slot: ReaderSlot,
        *,
        on_events: Callable[[Sequence[Event]], None],
        on_gap: Callable[[str], None],
        on_publication_pending: Callable[[], None],
    ) -> None:
        """`on_events` gets up to `SLICE_CHECK` events.

        `on_gap`: events have been missed. `on_publication_pending`: an event of this worker will be delivered with this
        turn. Raises `EngineUnavailable`.
        """
        self._loop = asyncio.get_running_loop()
        self._journal = journal
        self._slot = reader_slot.number
        self._on_events = on_events
        self._on_gap = on_gap
        self._on_publication_pending = on_publication_pending
        self._wakeup_pipe = WakeupPipe(pipe_path(reader_slot.pipe_prefix, reader_slot.number))
        self._notifier = Notifier(journal.readers, reader_slot.pipe_prefix)
        self._position: int | None = None
        self._pending: list[bytes] = []
        self._pending_events: list[Event] = []
        self._pending_size = HEAD_SIZE
        self._appended_events: list[Event] = []
        """Own events in the journal before `position` that have not been delivered."""
        self._channels_to_notify: list[str] = []
        """Channels of appended or buffered events that other readers have not been notified of."""
        self._subscribed_buckets: Counter[int] = Counter()
        """The number of subscribed channels, by bucket."""
        self._undelivered: deque[tuple[Iterator[Sequence[Event]], int]] = deque()
        """Batches of events, with their size in the journal if they come from other processes."""
        self._undelivered_bytes = 0
        """The sum of these sizes."""
        self._delivering = False
        self._next_turn: asyncio.Handle | None = None
        self._is_scheduled = False
        """Whether `on_publication_pending` has been called for that turn."""
        self._closing = False
        self._loop.add_reader(self._wakeup_pipe.descriptor, self._on_wakeup)

    async def start(self) -> None:
        """Receive events from now on."""
        while self._position is None:
            try:
                self._position = self._journal.end
            except Busy:
                await asyncio.sleep(BUSY_SECONDS)
        self._journal.readers.rearm(self._slot)  # notifications before the pipe was open are lost

    def subscribe(self, channels: Iterable[str]) -> None:
        """Be woken for events in these channels from now on.

        Also receives the events before.
        """
        for channel in channels:
            bucket = bucket_of(channel)
            self._subscribed_buckets[bucket] += 1
            self._journal.readers.set_interest(self._slot, bucket, interested=True)
        self.receive()

    def unsubscribe(self, channel: str) -> None:
        """Do not be woken for this channel any more."""
        bucket = bucket_of(channel)
        self._subscribed_buckets[bucket] -= 1
        if not self._subscribed_buckets[bucket]:
            del self._subscribed_buckets[bucket]
            self._journal.readers.set_interest(self._slot, bucket, interested=False)

    def append(self, event: Event) -> None:
        """Append an event with this turn. Raises `EngineUnavailable`."""
        encoded = encode(event)
        size = len(encoded)
        if self._pending_size + size > MAX_RECORD:
            self._reserve(size)
        self._pending.append(encoded)
        self._pending_events.append(event)
        self._pending_size += size
        self._channels_to_notify.append(event.channel)
        if not self._is_scheduled:
            self._schedule_turn()

    def append_next(
        self, position: Position, channel: str, data: bytes, options: PublishOptions
    ) -> PublishResult | None:
        """Append a publication with the next offset of its stream.

        The engine has to store it. It is appended at once, since its offset is assigned. None: the engine has to
        publish it. Raises `EngineUnavailable`.
        """
        if self._pending_size + len(data) > MAX_RECORD:
            return None
        pending, events = self._pending, self._pending_events

        def make_record(offset: int) -> bytes:
            retention = (options.history_size, options.history_ttl, options.history_meta_ttl)
            event = Published(channel, make_publication(data, options, offset), position.epoch, False, None, retention)
            encoded = encode(event)
            if len(encoded) > MAX_PUBLICATION:
                raise EngineUnavailable(f"an event of {len(encoded)} bytes is too long for the engine")
            events.append(event)
            return encode_record([*pending, encoded] if pending else (encoded,), store=True)

        try:
            offset, begin, end = self._journal.append_next(position.slot, position.generation, make_record)
        except Busy:
            return None
        if not offset:
            return None
        if begin == self._position:
            self._position = end
            self._appended_events += events
        # else it is received together with the records of others before it
        if pending:
            self._clear_pending()
        else:
            events.clear()
        self._channels_to_notify.append(channel)
        if not self._is_scheduled:
            self._schedule_turn()
        return PublishResult(offset, position.epoch)

    def flush(self) -> bool:
        """Append the buffered events now; False if the journal is busy."""
        return not self._pending or self._exchange()

    def receive(self) -> bool:
        """Receive and deliver events; False if that needs another turn of the event loop."""
        if self._closing or self._delivering:
            return self._closing
        # Nothing more is read while events are undelivered, unless own events have been appended behind them: a slow
        # worker lags in the journal instead of buffering; `MAX_UNDELIVERED` limits the other case.
        if self._undelivered and not self._channels_to_notify and not self._deliver():
            return False
        return self._exchange() and self._deliver()

    async def close(self) -> None:
        """Append and deliver the remaining events, and release the journal."""
        self._closing = True
        is_appended = False
        for _ in range(CLOSE_TRIES):
            if not is_appended or self._pending:  # else each attempt would read more to deliver
                is_appended = self._exchange()
            if is_appended and self._deliver() and not self._pending:
                break
            await asyncio.sleep(0 if is_appended else BUSY_SECONDS)
        else:
            log.error("events were not appended or not delivered before this worker closed the journal")
        if self._next_turn is not None:
            self._next_turn.cancel()
        self._loop.remove_reader(self._wakeup_pipe.descriptor)
        self._wakeup_pipe.close()
        self._notifier.close()
        self._journal.close()

    # ------------------------------------------------------------------------------------------ inside

    def _on_wakeup(self) -> None:
        # In this order: a writer that appends after `receive` has read, under the lock, finds the mark cleared and
        # notifies.
        self._wakeup_pipe.drain()
        self._journal.readers.rearm(self._slot)
        self.receive()

    def _schedule_turn(self) -> None:
        if self._next_turn is not None:
            self._next_turn.cancel()
        self._next_turn = self._loop.call_soon(self._run_turn)
        self._is_scheduled = True
        self._on_publication_pending()

    def _run_turn(self) -> None:
        self._next_turn = None
        self._is_scheduled = False
        end = self._journal.approximate_end
        if (
            self._appended_events
            and end == self._position
            and not (self._pending or self._undelivered or self._closing)
        ):
            # No records of others stand before the own ones, so the lock is not needed. A process that has appended
            # since has notified this one, or has found it notified.
            self._advance(b"", end)
            self._deliver()
        else:
            self.receive()

    def _schedule_turn_later(self, seconds: float = 0) -> None:
        if self._next_turn is not None:
            self._next_turn.cancel()
        self._is_scheduled = False
        self._next_turn = (
            self._loop.call_later(seconds, self._run_turn) if seconds else self._loop.call_soon(self._run_turn)
        )

    def _reserve(self, size: int) -> None:
        if size > MAX_PUBLICATION:
            raise EngineUnavailable(f"an event of {size} bytes is too long for the engine")
        if self._pending:
            self._exchange()
            if self._pending_size + size > MAX_APPEND:
                raise EngineUnavailable("the engine, or another worker, takes too long with the journal")

    def _exchange(self) -> bool:
        """Append the buffered events, and read the records before them.

        False: the journal is busy.
        """
        data = encode_record(self._pending) if self._pending else b""
        position, undelivered_bytes = self._position, self._undelivered_bytes
        try:
            if (
                undelivered_bytes
                and position is not None
                and undelivered_bytes + self._journal.approximate_end - position > MAX_UNDELIVERED
            ):
                raise Overrun
            records, end = self._journal.exchange(position, data)
        except Busy:
            self._schedule_turn_later(BUSY_SECONDS)
            return False
        except Overrun:
            self._position = None  # own events are still appended and delivered, until this client is replaced
            self._on_gap("events came faster than they were delivered")
            return self._exchange()
        self._advance(records, end)
        return True

    def _advance(self, records: bytes, end: int) -> None:
        """Queue all events up to `end` for delivery, own events included.

        Also notifies the other readers.
        """
        self._position = end
        self._journal.readers.set_position(self._slot, end)
        if self._appended_events:
            self._undelivered.append((batches(self._appended_events, SLICE_CHECK), 0))
            self._appended_events = []
        if records:
            self._undelivered.append((decode_records(records, SLICE_CHECK), len(records)))
            self._undelivered_bytes += len(records)
        if self._pending:
            self._undelivered.append((batches(self._pending_events, SLICE_CHECK), 0))
            self._clear_pending()
        if self._channels_to_notify:
            self._notifier.notify(self._channels_to_notify, end, (self._slot,))
            self._channels_to_notify.clear()

    def _clear_pending(self) -> None:
        self._pending, self._pending_events, self._pending_size = [], [], HEAD_SIZE

    def _deliver(self) -> bool:
        """Deliver events for up to `SLICE_SECONDS`; whether all have been delivered."""
        undelivered, on_events = self._undelivered, self._on_events
        until = 0.0
        count = 0
        self._delivering = True
        try:
            while undelivered:
                for events in undelivered[0][0]:
                    on_events(events)
                    count += len(events)
                    if count < SLICE_CHECK:
                        continue
                    count = 0
                    now = self._loop.time()
                    until = until or now + SLICE_SECONDS
                    if now > until:
                        self._schedule_turn_later()
                        return False
                self._undelivered_bytes -= undelivered.popleft()[1]
        except MsgspecError as error:
            undelivered.clear()
            self._undelivered_bytes = 0
            self._on_gap(f"the journal contains a malformed record: {error}")
        finally:
            self._delivering = False
        return True
