"""The broker of a worker: the memory broker of the engine's process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fanjet.engines.interfaces import DONE, History, Published
from fanjet.protocol.publication import StreamPosition

from .local_publish import can_be_numbered, publication_now
from .messages import Joined, Left, Publish, PublishJoin, PublishLeave, ReadHistory, RemoveHistory
from .messages import Published as PublishedEvent

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from fanjet.engines.interfaces import BrokerEvents, PublishOptions
    from fanjet.protocol.publication import ClientInfo

    from .engine_client import EngineLink


_DONE: Final = Published()


class SharedBroker:
    """See `MemoryBroker`, for several nodes.

    What the engine need not look at is told the others directly. Unless a call to the engine that makes an event in the
    channel has not been answered: then it goes the same way, so as not to overtake it.
    """

    keeps_history = True
    keeps_order = True
    delivers_reliably = False

    def __init__(self, link: EngineLink, events: BrokerEvents) -> None:
        self._link = link
        link.events = events

    @property
    def outage(self) -> str:
        """See `RemoteEngine`."""
        return self._link.outage

    @property
    def silence(self) -> float:
        """See `ProbedEngine`."""
        return self._link.silence

    async def start(self) -> None:
        """See `Broker.start`."""
        await self._link.start()

    async def close(self) -> None:
        """See `Broker.close`."""
        await self._link.close()

    def subscribe(self, channel: str) -> Awaitable[None]:
        """See `Broker.subscribe`."""
        if self._link.outage:
            return self._subscribe_later(channel)
        self._link.subscribe(channel)
        return DONE

    async def _subscribe_later(self, channel: str) -> None:
        await self._link.connected()
        self._link.subscribe(channel)

    def unsubscribe(self, channel: str) -> Awaitable[None]:
        """See `Broker.unsubscribe`."""
        self._link.unsubscribe(channel)
        return DONE

    def publish(self, channel: str, data: bytes, options: PublishOptions) -> Awaitable[Published]:
        """See `Broker.publish`."""
        link = self._link
        tidings = link.told_by
        if tidings is None or channel in link.publishing or options.idempotency_key:
            return link.publish(Publish(channel, data, options))
        if options.history_size > 0 and options.history_ttl > 0:
            place = link.places.get(channel)
            if place is not None and can_be_numbered(options):
                published = tidings.tell_next(place, channel, data, options)
                if published is not None:
                    return published
            return link.publish(Publish(channel, data, options))
        tidings.tell(PublishedEvent(channel, publication_now(data, options), "", options.use_delta, None))
        return _DONE

    async def publish_join(self, channel: str, info: ClientInfo) -> None:
        """See `Broker.publish_join`."""
        tidings = self._link.tidings_for(channel)
        if tidings is None:
            await self._link.publish(PublishJoin(channel, info))
        else:
            tidings.tell(Joined(channel, info))

    async def publish_leave(self, channel: str, info: ClientInfo) -> None:
        """See `Broker.publish_leave`."""
        tidings = self._link.tidings_for(channel)
        if tidings is None:
            await self._link.publish(PublishLeave(channel, info))
        else:
            tidings.tell(Left(channel, info))

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
        stream = await self._link.call(ReadHistory(channel, since, limit, reverse, meta_ttl))
        return History(stream.publications, StreamPosition(stream.offset, stream.epoch))

    async def remove_history(self, channel: str) -> None:
        """See `Broker.remove_history`."""
        await self._link.call(RemoveHistory(channel))
