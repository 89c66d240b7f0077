"""What the engine's process knows: the memory engine, and which workers there are."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from fanjet.engines.memory import MemoryPresenceManager
from fanjet.telemetry.logging import get_logger

from . import messages
from .journal import Busy, FallenBehind
from .journal_server import Announcements, NotKept
from .local_publish import can_be_numbered
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
from .offset_slots import Places
from .stream_store import SharedStreams

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fanjet.protocol.publication import ClientInfo, Publication

    from .messages import Answer, Call, Seat

log = get_logger(__name__)

T = TypeVar("T")

FOLLOW_SECONDS: Final = 0.05
"""Between two looks at what workers publish, while they do."""
IDLE_SECONDS: Final = 0.5
"""Between two looks whether they do."""


class Worker(Protocol):
    """One worker, as long as it is connected. Hashed by identity."""

    introduction: messages.Hello | None
    seat: Seat | None
    present: set[tuple[str, str]]
    """Channels and clients of its entries of presence."""

    @property
    def is_answering(self) -> bool:
        """Whether something is about to be sent, after `Engine.flush`."""

    def tell(self, message: messages.Control, /) -> None:
        """Send a control message."""

    def drop(self, why: str) -> None:
        """End the connection."""


class Engine:
    """Carries out calls, and passes on what comes of them. Nothing here waits."""

    def __init__(self, *, bells: str, history_meta_ttl: int) -> None:
        """`bells`: see `Announcements`."""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets an exception when what is known is not what has happened."""
        self._broker = SharedStreams(self, history_meta_ttl=history_meta_ttl)
        self._announcements = Announcements(bells, self._broker.keep)
        self._places = Places()
        self._following: asyncio.TimerHandle | None = None
        self._presence = MemoryPresenceManager()
        self._nodes: dict[str, Worker] = {}
        self._workers: set[Worker] = set()
        self._closed = False

    async def start(self) -> None:
        """Begin to keep what is published, and to drop what expires."""
        await self._broker.start()
        self._follow()
        asyncio.get_running_loop().add_reader(self._announcements.bell, self._on_bell)

    async def close(self) -> None:
        """Let go of the workers."""
        self._closed = True
        if self._following is not None:
            self._following.cancel()
            asyncio.get_running_loop().remove_reader(self._announcements.bell)
        for worker in self._workers:
            worker.drop("the engine ends")
        await self._broker.close()
        self.flush()
        self._announcements.close()

    @property
    def journal(self) -> int:
        """Its descriptor, for the workers."""
        return self._announcements.descriptor

    def flush(self) -> bool:
        """Let what comes of the calls stand in the journal; until that returns True nothing that comes after may be
        sent."""
        announcements = self._announcements
        if not announcements.waiting:
            return True
        answering = [each.seat.number for each in self._nodes.values() if each.seat is not None and each.is_answering]
        try:
            return announcements.flush(answering)
        except _FATAL as error:
            return self._fail(error)

    def meet(self, worker: Worker) -> None:
        """It has connected."""
        self._workers.add(worker)
        if self._closed:
            worker.drop("the engine has ended")

    def carry_out(self, worker: Worker, call: Call) -> Answer | None:
        """The answer, None when the call is done and there is nothing to say. Raises `Busy`: it has to wait."""
        if worker.introduction is None and not isinstance(call, messages.Hello):
            return Refused("no introduction")
        try:
            return _HANDLERS[type(call)](self, worker, call)
        except Busy:
            raise
        except _FATAL as error:
            self._fail(error)
            return Refused("the engine has failed")
        except Exception:
            log.exception("error carrying out a call", call=type(call).__name__)
            return Refused("internal error of the engine")

    def forget(self, worker: Worker) -> None:
        """It is gone, with everything that was there for its sake. The other nodes get its last words."""
        self._workers.discard(worker)
        hello, worker.introduction = worker.introduction, None
        if hello is None:
            return
        if worker.seat is not None and not self._closed:
            self._announcements.free_seat(worker.seat)
        for channel, client in worker.present:
            _result(self._presence.remove(channel, client, ""))
        if self._nodes.get(hello.node) is worker:
            del self._nodes[hello.node]
        log.info("worker has left", node=hello.node)
        if hello.farewell:
            self._tell_others(worker, hello.farewell)

    # ------------------------------------------------------------------------------------------ Custodian

    def keep_up(self) -> bool:
        """See `Custodian`."""
        return self._succeeds(self._announcements.keep_up)

    def withdraw(self, channel: str) -> bool:
        """See `Custodian`."""
        place = self._places.find(channel)
        return place is None or self._succeeds(partial(self._announcements.close_place, place))

    def forget_stream(self, channel: str) -> None:
        """See `Custodian`."""
        self._places.free(channel)

    # ------------------------------------------------------------------------------------------ BrokerEvents

    def on_publication(
        self, channel: str, publication: Publication, epoch: str, *, use_delta: bool, previous: Publication | None
    ) -> None:
        """See `BrokerEvents`."""
        self._announcements.tell(Published(channel, publication, epoch, use_delta, previous))

    def on_join(self, channel: str, info: ClientInfo) -> None:
        """See `BrokerEvents`."""
        self._announcements.tell(Joined(channel, info))

    def on_leave(self, channel: str, info: ClientInfo) -> None:
        """See `BrokerEvents`."""
        self._announcements.tell(Left(channel, info))

    def on_publication_pending(self) -> None:
        """See `BrokerEvents`: in memory what is published is reported at once."""

    def on_restored(self) -> None:
        """See `BrokerEvents`: memory is never lost."""

    # ------------------------------------------------------------------------------------------ calls

    def _welcome(self, worker: Worker, call: messages.Hello) -> Answer:
        if call.version != messages.VERSION:
            return Refused(f"the engine's process speaks version {messages.VERSION}, this worker {call.version}")
        earlier = self._nodes.get(call.node)
        if earlier is not None and earlier is not worker:
            earlier.drop("its node has connected anew")
            self.forget(earlier)
        seat = worker.seat or self._announcements.take_seat()
        if seat is None:
            return Refused("there are too many workers")
        worker.introduction, worker.seat = call, seat
        self._nodes[call.node] = worker
        log.info("worker has come", node=call.node)
        return seat

    def _publish(self, _worker: Worker, call: messages.Publish) -> Position | None:
        channel, options = call.channel, call.options
        place = self._places.find(channel)
        if place is not None:
            self._announcements.close_place(place)
        published = self._broker.publish(channel, call.data, options)
        if not published.offset and not published.suppressed:
            return None
        if published.suppressed or not can_be_numbered(options):
            return Position(published.offset, published.epoch, published.suppressed)
        place = place or self._places.take(channel)
        if place is None:
            return Position(published.offset, published.epoch, "")
        self._announcements.open(place, published.offset)
        return Position(published.offset, published.epoch, "", place.number, place.generation)

    def _publish_join(self, _worker: Worker, call: messages.PublishJoin) -> None:
        self.on_join(call.channel, call.info)

    def _publish_leave(self, _worker: Worker, call: messages.PublishLeave) -> None:
        self.on_leave(call.channel, call.info)

    def _read_history(self, _worker: Worker, call: messages.ReadHistory) -> Stream:
        self._announcements.keep_up()
        read = self._broker.history(
            call.channel, since=call.since, limit=call.limit, reverse=call.reverse, meta_ttl=call.meta_ttl
        )
        history = _result(read)
        return Stream(history.publications, history.top.offset, history.top.epoch)

    def _remove_history(self, _worker: Worker, call: messages.RemoveHistory) -> None:
        self._announcements.keep_up()
        _result(self._broker.remove_history(call.channel))

    def _add_presence(self, worker: Worker, call: messages.AddPresence) -> None:
        worker.present.add((call.channel, call.client))
        _result(self._presence.add(call.channel, call.client, call.info))

    def _remove_presence(self, worker: Worker, call: messages.RemovePresence) -> None:
        worker.present.discard((call.channel, call.client))
        _result(self._presence.remove(call.channel, call.client, call.user))

    def _read_presence(self, _worker: Worker, call: messages.ReadPresence) -> Presence:
        return Presence(_result(self._presence.presence(call.channel)))

    def _read_presence_stats(self, _worker: Worker, call: messages.ReadPresenceStats) -> PresenceStats:
        return PresenceStats(*_result(self._presence.presence_stats(call.channel)))

    def _publish_control(self, worker: Worker, call: messages.PublishControl) -> None:
        if not call.node:
            self._tell_others(worker, call.message)
        elif (addressee := self._nodes.get(call.node)) is not None:
            addressee.tell(Control(call.message))

    def _ping(self, _worker: Worker, _call: messages.Ping) -> None:
        """There is nothing more to a sign of life."""

    # ------------------------------------------------------------------------------------------ inside

    def _on_bell(self) -> None:
        # In this order: see `Tidings`.
        self._announcements.answer_bell()
        if self._following is not None:
            self._following.cancel()
        self._follow()

    def _follow(self) -> None:
        pause = IDLE_SECONDS
        try:
            if self._announcements.keep_up():
                pause = FOLLOW_SECONDS
        except Busy:
            pause = FOLLOW_SECONDS
        except _FATAL as error:
            self._fail(error)
            return
        self._following = asyncio.get_running_loop().call_later(pause, self._follow)

    def _succeeds(self, work: Callable[[], object]) -> bool:
        """Whether it is done; False if it has to wait, or has failed for good."""
        try:
            work()
        except Busy:
            return False
        except _FATAL as error:
            return self._fail(error)
        return True

    def _fail(self, error: Exception) -> bool:
        """Streams that are not what workers have published: better none, with new epochs."""
        if not self.failed.done():
            log.error("streams are not what workers have published", error=error)
            self.failed.set_exception(error)
        return False

    def _tell_others(self, sender: Worker, message: bytes) -> None:
        event = Control(message)
        for worker in self._nodes.values():
            if worker is not sender:
                worker.tell(event)


_FATAL: Final = (FallenBehind, NotKept)

_HANDLERS: Final[dict[type, Callable[[Engine, Worker, Any], Answer | None]]] = {
    messages.Hello: Engine._welcome,
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
    """Of what never waits, as nothing in memory does."""
    try:
        work.send(None)
    except StopIteration as finished:
        result: T = finished.value
        return result
    work.close()
    raise RuntimeError("the memory engine has waited")
