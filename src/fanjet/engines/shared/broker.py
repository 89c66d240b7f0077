"""The broker of a worker: the memory broker of the engine's process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.engines.interfaces import History
from fanjet.protocol.publication import StreamPosition

from .messages import (
    Broadcast,
    Publish,
    PublishJoin,
    PublishLeave,
    ReadHistory,
    RemoveHistory,
    Subscribe,
    Unsubscribe,
)
from .publications import publication_at

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from fanjet.engines.interfaces import BrokerEvents, Published, PublishOptions
    from fanjet.protocol.publication import ClientInfo

    from .link import EngineLink


class SharedBroker:
    """See `MemoryBroker`, for several nodes. What is published reaches `events` before the publisher is answered."""

    keeps_history = True
    keeps_order = True
    delivers_reliably = False

    def __init__(self, link: EngineLink, events: BrokerEvents) -> None:
        self._link = link
        link.events = events

    @property
    def lost(self) -> str:
        """See `Remote`."""
        return self._link.lost

    async def start(self) -> None:
        """See `Broker.start`."""
        await self._link.start()

    async def close(self) -> None:
        """See `Broker.close`."""
        await self._link.close()

    async def subscribe(self, channel: str) -> None:
        """See `Broker.subscribe`."""
        channels = self._link.channels
        known = channel in channels
        channels[channel] = None
        try:
            await self._link.call(Subscribe([channel]))
        except BaseException:
            if not known:
                channels.pop(channel, None)
            raise

    async def unsubscribe(self, channel: str) -> None:
        """See `Broker.unsubscribe`."""
        self._link.channels.pop(channel, None)
        if not self._link.lost:  # else nothing is subscribed anyway
            await self._link.call(Unsubscribe(channel))

    def publish(self, channel: str, data: bytes, options: PublishOptions) -> Awaitable[Published]:
        """See `Broker.publish`."""
        if options.keeps_history or options.idempotency_key:
            return self._link.publish(Publish(channel, data, options))
        return self._link.publish(Broadcast(channel, publication_at(data, options), options.use_delta))

    async def publish_join(self, channel: str, info: ClientInfo) -> None:
        """See `Broker.publish_join`."""
        await self._link.call(PublishJoin(channel, info))

    async def publish_leave(self, channel: str, info: ClientInfo) -> None:
        """See `Broker.publish_leave`."""
        await self._link.call(PublishLeave(channel, info))

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
