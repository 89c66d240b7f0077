"""Broker with history in Redis and delivery over NATS (07 §16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.protocol.codes import ERROR_BAD_REQUEST, ReplyError
from fanjet.telemetry.logging import get_logger

from .failure_log import log_failure
from .interfaces import EngineUnavailable
from .nats.subjects import has_wildcard

if TYPE_CHECKING:
    from fanjet.protocol.publication import ClientInfo, StreamPosition

    from .interfaces import History, Published, PublishOptions, RevocationEvents
    from .nats import NatsBroker
    from .redis import RedisBroker

log = get_logger(__name__)


class RedisNatsBroker:
    """Stores history in Redis, and delivers over NATS.

    `redis` stores history and delivers no messages; publications, joins and leaves are delivered over `nats`.

    The two steps are not atomic: publications of a channel have to be published sequentially, or they may be delivered
    out of order.
    """

    keeps_history = True
    delivers_reliably = False

    def __init__(self, redis: RedisBroker, nats: NatsBroker, events: RevocationEvents) -> None:
        self._redis = redis
        self._nats = nats
        nats.set_on_restored(events.on_restored)

    @property
    def outage(self) -> str:
        """See `RemoteEngine`."""
        return ", ".join(outage for outage in (self._redis.outage, self._nats.outage) if outage)

    @property
    def silence(self) -> float:
        """See `ProbedEngine`."""
        return self._nats.silence

    async def start(self) -> None:
        """See `Broker.start`."""
        await self._redis.start()
        await self._nats.start()

    async def close(self) -> None:
        """See `Broker.close`."""
        await self._nats.close()
        await self._redis.close()

    async def subscribe(self, channel: str) -> None:
        """See `NatsBroker.subscribe`."""
        await self._nats.subscribe(channel)

    async def unsubscribe(self, channel: str) -> None:
        """See `Broker.unsubscribe`."""
        await self._nats.unsubscribe(channel)

    async def publish(self, channel: str, data: bytes, options: PublishOptions) -> Published:
        """See `Broker.publish`.

        Raises error 107 for a pattern. A publication in the stream counts as published even if NATS then fails:
        subscribers detect the gap.
        """
        if has_wildcard(channel):
            raise ReplyError(ERROR_BAD_REQUEST)
        if not options.keeps_history and not options.idempotency_key:
            return await self._nats.publish(channel, data, options)
        published = await self._redis.publish(channel, data, options)
        if not published.suppressed:
            try:
                await self._deliver(channel, data, options, published.position)
            except EngineUnavailable as error:
                log_failure(log, "error publishing to NATS what is in Redis already", error, channel=channel)
        return published

    async def _deliver(self, channel: str, data: bytes, options: PublishOptions, position: StreamPosition) -> None:
        if options.keeps_history:
            await self._nats.deliver(channel, data, options, position)
        elif not self._nats.is_raw:
            await self._nats.publish(channel, data, options)

    async def publish_join(self, channel: str, info: ClientInfo) -> None:
        """See `Broker.publish_join`."""
        await self._nats.publish_join(channel, info)

    async def publish_leave(self, channel: str, info: ClientInfo) -> None:
        """See `Broker.publish_leave`."""
        await self._nats.publish_leave(channel, info)

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
        return await self._redis.history(channel, since=since, limit=limit, reverse=reverse, meta_ttl=meta_ttl)

    async def remove_history(self, channel: str) -> None:
        """See `Broker.remove_history`."""
        await self._redis.remove_history(channel)
