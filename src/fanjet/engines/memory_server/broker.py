"""The broker of a worker, which shares its streams with other workers.

It publishes through the journal, or by the memory broker of the engine's process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fanjet.engines.interfaces import DONE, History, Published
from fanjet.protocol.publication import StreamPosition

from .local_publish import can_assign_offset, make_publication
from .messages import Joined, Left, Publish, PublishJoin, PublishLeave, ReadHistory, RemoveHistory
from .messages import Published as PublishedEvent

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from fanjet.engines.interfaces import BrokerEvents, PublishOptions
    from fanjet.protocol.publication import ClientInfo

    from .engine_client import EngineClient


_DONE: Final = Published()


class SharedBroker:
    """See `MemoryBroker`, for several nodes.

    Publications that do not depend on the state of the engine are appended to the journal directly. While an earlier
    call to the engine in the same channel has no reply, they are sent to the engine as well, so as not to overtake it.
    """

    keeps_history = True
    keeps_order = True
    delivers_reliably = False

    def __init__(self, engine: EngineClient, events: BrokerEvents) -> None:
        self._engine = engine
        engine.events = events

    @property
    def outage(self) -> str:
        """See `RemoteEngine`."""
        return self._engine.outage

    @property
    def silence(self) -> float:
        """See `ProbedEngine`."""
        return self._engine.silence

    async def start(self) -> None:
        """See `Broker.start`."""
        await self._engine.start()

    async def close(self) -> None:
        """See `Broker.close`."""
        await self._engine.close()

    def subscribe(self, channel: str) -> Awaitable[None]:
        """See `Broker.subscribe`."""
        if self._engine.outage:
            return self._subscribe_later(channel)
        self._engine.subscribe(channel)
        return DONE

    async def _subscribe_later(self, channel: str) -> None:
        await self._engine.wait_connected()
        self._engine.subscribe(channel)

    def unsubscribe(self, channel: str) -> Awaitable[None]:
        """See `Broker.unsubscribe`."""
        self._engine.unsubscribe(channel)
        return DONE

    def publish(self, channel: str, data: bytes, options: PublishOptions) -> Awaitable[Published]:
        """See `Broker.publish`."""
        engine = self._engine
        journal = engine.journal
        if journal is None or channel in engine.pending_publishes or options.idempotency_key:
            return engine.publish(Publish(channel, data, options))
        if options.history_size > 0 and options.history_ttl > 0:
            offset_slot = engine.offset_slots.get(channel)
            if offset_slot is not None and can_assign_offset(options):
                published = journal.append_next(offset_slot, channel, data, options)
                if published is not None:
                    return published
            return engine.publish(Publish(channel, data, options))
        journal.append(PublishedEvent(channel, make_publication(data, options), "", options.use_delta, None))
        return _DONE

    async def publish_join(self, channel: str, info: ClientInfo) -> None:
        """See `Broker.publish_join`."""
        journal = self._engine.journal_for(channel)
        if journal is None:
            await self._engine.publish(PublishJoin(channel, info))
        else:
            journal.append(Joined(channel, info))

    async def publish_leave(self, channel: str, info: ClientInfo) -> None:
        """See `Broker.publish_leave`."""
        journal = self._engine.journal_for(channel)
        if journal is None:
            await self._engine.publish(PublishLeave(channel, info))
        else:
            journal.append(Left(channel, info))

    async def history(
        self,
        channel: str,
        *,
        since: StreamPosition | None = None,
        limit: int = -1,
        reverse: bool = False,
        meta_ttl: int = 0,
    ) -> History:
        """See `Broker.history`."""
        stream = await self._engine.call(ReadHistory(channel, since, limit, reverse, meta_ttl))
        return History(stream.publications, StreamPosition(stream.offset, stream.epoch))

    async def remove_history(self, channel: str) -> None:
        """See `Broker.remove_history`."""
        await self._engine.call(RemoveHistory(channel))
