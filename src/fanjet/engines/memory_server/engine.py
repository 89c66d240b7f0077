"""The memory engine of the engine's process, and its registry of workers."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from fanjet.engines.memory import MemoryPresenceManager
from fanjet.telemetry.logging import get_logger

from . import messages
from .journal import Busy, Overrun
from .journal_server import JournalServer, StoreFailed
from .local_publish import can_assign_offset
from .messages import (
    Control,
    Joined,
    Left,
    Position,
    Presence,
    PresenceStats,
    Published,
    Refused,
    Stream,
)
from .offset_slots import OffsetSlots
from .stream_store import StreamStore

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fanjet.protocol.publication import ClientInfo, Publication

    from .messages import Call, ReaderSlot, Reply

log = get_logger(__name__)

T = TypeVar("T")

SYNC_SECONDS: Final = 0.05
"""Interval of storing what workers publish, while they publish."""
IDLE_SECONDS: Final = 0.5
"""The same while nobody publishes."""


class Worker(Protocol):
    """A connected worker. Hashed by identity."""

    hello: messages.Hello | None
    reader_slot: ReaderSlot | None
    presence_entries: set[tuple[str, str]]
    """Channels and clients of its presence entries."""

    @property
    def has_replies(self) -> bool:
        """Whether replies will be sent after the next `Engine.flush`."""

    def send(self, message: messages.Control, /) -> None:
        """Send a control message."""

    def drop(self, reason: str) -> None:
        """Close the connection."""


class Engine:
    """Executes calls and appends the resulting events to the journal.

    Nothing here waits.
    """

    def __init__(self, *, pipe_prefix: str, history_meta_ttl: int) -> None:
        """`pipe_prefix`: see `JournalServer`."""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets an exception when the streams differ from what workers have published."""
        self._broker = StreamStore(self, history_meta_ttl=history_meta_ttl)
        self._journal = JournalServer(pipe_prefix, self._broker.store)
        self._offset_slots = OffsetSlots()
        self._sync_timer: asyncio.TimerHandle | None = None
        self._presence = MemoryPresenceManager()
        self._nodes: dict[str, Worker] = {}
        self._workers: set[Worker] = set()
        self._closed = False

    async def start(self) -> None:
        """Start storing publications of workers, and removing expired ones."""
        await self._broker.start()
        self._sync_periodically()
        asyncio.get_running_loop().add_reader(self._journal.wakeup_descriptor, self._on_wakeup)

    async def close(self) -> None:
        """Drop all workers and release the journal."""
        self._closed = True
        if self._sync_timer is not None:
            self._sync_timer.cancel()
            asyncio.get_running_loop().remove_reader(self._journal.wakeup_descriptor)
        for worker in self._workers:
            worker.drop("the engine ends")
        await self._broker.close()
        self.flush()
        self._journal.close()

    @property
    def journal_descriptor(self) -> int:
        """The descriptor of the journal, for the workers."""
        return self._journal.descriptor

    def flush(self) -> bool:
        """Append the events of the executed calls to the journal.

        False: it is busy, and no reply may be sent yet.
        """
        journal = self._journal
        if not journal.has_pending:
            return True
        replying = [
            each.reader_slot.number
            for each in self._nodes.values()
            if each.reader_slot is not None and each.has_replies
        ]
        try:
            return journal.flush(replying)
        except _FATAL as error:
            return self._fail(error)

    def on_connected(self, worker: Worker) -> None:
        """A worker has connected."""
        self._workers.add(worker)
        if self._closed:
            worker.drop("the engine has ended")

    def execute(self, worker: Worker, call: Call) -> Reply | None:
        """Execute a call; None: it is done and has no other reply.

        Raises `Busy`: try again later.
        """
        if worker.hello is None and not isinstance(call, messages.Hello):
            return Refused("no introduction")
        try:
            return _HANDLERS[type(call)](self, worker, call)
        except Busy:
            raise
        except _FATAL as error:
            self._fail(error)
            return Refused("the engine has failed")
        except Exception:
            log.exception("error executing a call", call=type(call).__name__)
            return Refused("internal error of the engine")

    def on_disconnected(self, worker: Worker) -> None:
        """Remove a worker and its presence entries. The other nodes receive its last will."""
        self._workers.discard(worker)
        hello, worker.hello = worker.hello, None
        if hello is None:
            return
        if worker.reader_slot is not None and not self._closed:
            self._journal.remove_reader(worker.reader_slot)
        for channel, client in worker.presence_entries:
            _result(self._presence.remove(channel, client, ""))
        if self._nodes.get(hello.node) is worker:
            del self._nodes[hello.node]
        log.info("worker disconnected", node=hello.node)
        if hello.last_will:
            self._broadcast(worker, hello.last_will)

    # ------------------------------------------------------------------------------------------ Custodian

    def sync(self) -> bool:
        """See `StreamOwner`."""
        return self._attempt(self._journal.sync)

    def revoke_slot(self, channel: str) -> bool:
        """See `StreamOwner`."""
        offset_slot = self._offset_slots.find(channel)
        return offset_slot is None or self._attempt(partial(self._journal.close_slot, offset_slot))

    def on_stream_removed(self, channel: str) -> None:
        """See `StreamOwner`."""
        self._offset_slots.free(channel)

    # ------------------------------------------------------------------------------------------ BrokerEvents

    def on_publication(
        self, channel: str, publication: Publication, epoch: str, *, use_delta: bool, previous: Publication | None
    ) -> None:
        """See `BrokerEvents`."""
        self._journal.append(Published(channel, publication, epoch, use_delta, previous))

    def on_join(self, channel: str, info: ClientInfo) -> None:
        """See `BrokerEvents`."""
        self._journal.append(Joined(channel, info))

    def on_leave(self, channel: str, info: ClientInfo) -> None:
        """See `BrokerEvents`."""
        self._journal.append(Left(channel, info))

    def on_publication_pending(self) -> None:
        """See `BrokerEvents`: in memory what is published is reported at once."""

    def on_restored(self) -> None:
        """See `BrokerEvents`: memory has no outages."""

    # ------------------------------------------------------------------------------------------ calls

    def _hello(self, worker: Worker, call: messages.Hello) -> Reply:
        if call.version != messages.VERSION:
            return Refused(f"the engine's process speaks version {messages.VERSION}, this worker {call.version}")
        earlier = self._nodes.get(call.node)
        if earlier is not None and earlier is not worker:
            earlier.drop("its node has connected anew")
            self.on_disconnected(earlier)
        reader_slot = worker.reader_slot or self._journal.add_reader()
        if reader_slot is None:
            return Refused("there are too many workers")
        worker.hello, worker.reader_slot = call, reader_slot
        self._nodes[call.node] = worker
        log.info("worker connected", node=call.node)
        return reader_slot

    def _publish(self, _worker: Worker, call: messages.Publish) -> Position | None:
        channel, options = call.channel, call.options
        offset_slot = self._offset_slots.find(channel)
        if offset_slot is not None:
            self._journal.close_slot(offset_slot)
        published = self._broker.publish(channel, call.data, options)
        if not published.offset and not published.suppressed:
            return None
        if published.suppressed or not can_assign_offset(options):
            return Position(published.offset, published.epoch, published.suppressed)
        offset_slot = offset_slot or self._offset_slots.allocate(channel)
        if offset_slot is None:
            return Position(published.offset, published.epoch, "")
        self._journal.open_slot(offset_slot, published.offset)
        return Position(published.offset, published.epoch, "", offset_slot.number, offset_slot.generation)

    def _publish_join(self, _worker: Worker, call: messages.PublishJoin) -> None:
        self.on_join(call.channel, call.info)

    def _publish_leave(self, _worker: Worker, call: messages.PublishLeave) -> None:
        self.on_leave(call.channel, call.info)

    def _read_history(self, _worker: Worker, call: messages.ReadHistory) -> Stream:
        self._journal.sync()
        read = self._broker.history(
            call.channel, since=call.since, limit=call.limit, reverse=call.reverse, meta_ttl=call.meta_ttl
        )
        history = _result(read)
        return Stream(history.publications, history.top.offset, history.top.epoch)

    def _remove_history(self, _worker: Worker, call: messages.RemoveHistory) -> None:
        self._journal.sync()
        _result(self._broker.remove_history(call.channel))

    def _add_presence(self, worker: Worker, call: messages.AddPresence) -> None:
        worker.presence_entries.add((call.channel, call.client))
        _result(self._presence.add(call.channel, call.client, call.info))

    def _remove_presence(self, worker: Worker, call: messages.RemovePresence) -> None:
        worker.presence_entries.discard((call.channel, call.client))
        _result(self._presence.remove(call.channel, call.client, call.user))

    def _read_presence(self, _worker: Worker, call: messages.ReadPresence) -> Presence:
        return Presence(_result(self._presence.presence(call.channel)))

    def _read_presence_stats(self, _worker: Worker, call: messages.ReadPresenceStats) -> PresenceStats:
        return PresenceStats(*_result(self._presence.presence_stats(call.channel)))

    def _publish_control(self, worker: Worker, call: messages.PublishControl) -> None:
        if not call.node:
            self._broadcast(worker, call.message)
        elif (recipient := self._nodes.get(call.node)) is not None:
            recipient.send(Control(call.message))

    def _ping(self, _worker: Worker, _call: messages.Ping) -> None:
        """The reply is all that the worker needs."""

    # ------------------------------------------------------------------------------------------ inside

    def _on_wakeup(self) -> None:
        # In this order: see `JournalClient`.
        self._journal.acknowledge_wakeup()
        if self._sync_timer is not None:
            self._sync_timer.cancel()
        self._sync_periodically()

    def _sync_periodically(self) -> None:
        pause = IDLE_SECONDS
        try:
            if self._journal.sync():
                pause = SYNC_SECONDS
        except Busy:
            pause = SYNC_SECONDS
        except _FATAL as error:
            self._fail(error)
            return
        self._sync_timer = asyncio.get_running_loop().call_later(pause, self._sync_periodically)

    def _attempt(self, work: Callable[[], object]) -> bool:
        """Whether the work was done; False: the journal is busy, or the engine has failed."""
        try:
            work()
        except Busy:
            return False
        except _FATAL as error:
            return self._fail(error)
        return True

    def _fail(self, error: Exception) -> bool:
        """End the engine.

        The next one has new epochs instead of streams that differ from what was published.
        """
        if not self.failed.done():
            log.error("streams differ from what workers have published, restarting the engine", error=error)
            self.failed.set_exception(error)
        return False

    def _broadcast(self, sender: Worker, message: bytes) -> None:
        control = Control(message)
        for worker in self._nodes.values():
            if worker is not sender:
                worker.send(control)


_FATAL: Final = (Overrun, StoreFailed)

_HANDLERS: Final[dict[type, Callable[[Engine, Worker, Any], Reply | None]]] = {
    messages.Hello: Engine._hello,
    messages.Publish: Engine._publish,
    messages.PublishJoin: Engine._publish_join,
    messages.PublishLeave: Engine._publish_leave,
    messages.ReadHistory: Engine._read_history,
    messages.RemoveHistory: Engine._remove_history,
    messages.AddPresence: Engine._add_presence,
    messages.RemovePresence: Engine._remove_presence,
    messages.ReadPresence: Engine._read_presence,
    messages.ReadPresenceStats: Engine._read_presence_stats,
    messages.PublishControl: Engine._publish_control,
    messages.Ping: Engine._ping,
}


def _result(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as finished:
        result: T = finished.value
        return result
    work.close()
    raise RuntimeError("the memory engine has waited")
