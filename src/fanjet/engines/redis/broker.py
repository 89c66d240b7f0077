"""The Redis broker (07 §6-8, §10)."""

from __future__ import annotations

import asyncio
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from fanjet.engines.interfaces import EngineUnavailable, History, Published, PublishOptions
from fanjet.engines.records import MalformedRecord, encode_publication
from fanjet.protocol.publication import Publication
from fanjet.telemetry.logging import get_logger

from .connections.errors import CommandError
from .envelope import deliver, encode_join, encode_leave
from .history import RESULT_TTL, HistoryStorage, ListStorage, StreamStorage
from .keys import (
    ChannelKeys,
    NodeChannels,
    PartitionedKeys,
    StorageOnlyKeys,
    sharded_publish_check_channel,
    streams_check_key,
)
from .pubsub.broker_pubsub import BrokerPubSub, PubSubOptions
from .script import Script, pack_words
from .shards import Location
from .topology.cluster import ClusterShard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fanjet.engines.interfaces import BrokerEvents
    from fanjet.protocol.publication import ClientInfo, StreamPosition

    from .shards import Shards
    from .topology.shard import Shard

log = get_logger(__name__)

_ROUTE_CACHE_SIZE: Final = 4096
"""Channels whose routes are cached."""
_MAX_OWN: Final = 512
"""Publications of this node that are kept until Redis delivers them."""
_MAX_OWN_SIZE: Final = 16 * 1024
"""Maximum record size of a publication that is kept."""
_DONE: Final = Published()
_REPEATED: Final = Published(suppressed="idempotency")


class _Route(Struct, frozen=True):
    """How to publish to a channel.

    The executing function, the PUB/SUB channel, and the command up to the message. Finding and packing these each time
    takes 0.4 µs.
    """

    execute: Callable[[bytes, bytes, Callable[[int], Published]], Awaitable[Published]]
    name: bytes
    command_prefix: bytes

    def send(self, message: bytes) -> Awaitable[Published]:
        """Publish the message to all subscribed nodes."""
        return self.execute(b"%b$%d\r\n%b\r\n" % (self.command_prefix, len(message), message), self.name, _done)


class RedisBroker:
    """Appends to streams and publishes over PUB/SUB in one atomic step.

    Each channel is on one shard.

    `history_meta_ttl` (whole seconds) is the default of calls without one; 0: streams do not expire. `count_error` gets
    the names of errors (07 §24).

    `delivers_messages`: False if another broker delivers messages, and Redis only stores streams and idempotency keys.
    """

    keeps_history = True
    delivers_reliably = False

    def __init__(
        self,
        shards: Shards,
        events: BrokerEvents,
        uid: str,
        *,
        prefix: str,
        history_meta_ttl: int,
        use_lists: bool = False,
        delivers_messages: bool = True,
        pubsub: PubSubOptions = PubSubOptions(),  # noqa: B008 (it is frozen)
        count_error: Callable[[str], None] = lambda _error: None,
    ) -> None:
        self._shards = shards
        self._events = events
        self._prefix = prefix
        self._history_meta_ttl = history_meta_ttl
        self._use_lists = use_lists
        self._count_error = count_error
        self._delivers_messages = delivers_messages
        self._pubsub_options = pubsub
        self._pubsub = BrokerPubSub(
            pubsub, NodeChannels(prefix, uid), self._on_message, events.on_restored, count_error
        )
        self._publish = "SPUBLISH" if pubsub.tags else "PUBLISH"
        self._storage: HistoryStorage = ListStorage(self._publish) if use_lists else StreamStorage(self._publish)
        self._publish_once = Script("publish_once", self._publish)
        self._locations: list[Location] = []
        self._channels: dict[bytes, str] = {}
        self._own_publications: dict[bytes, Publication] = {}
        """Publications by their encoding, of channels subscribed here: they need not be decoded on arrival."""
        self._route = lru_cache(_ROUTE_CACHE_SIZE)(self._find_route)

    async def start(self) -> None:
        """See `Broker.start`.

        Raises `EngineUnavailable` also for a server without streams or sharded PUB/SUB, if they are configured.
        """
        needs_replicas = "subscribe_on_replica" if self._pubsub_options.from_replicas else ""
        await self._shards.start(needs_replicas=needs_replicas)
        await asyncio.gather(*(self._check(shard) for shard in self._shards))
        self._locations = [Location(shard, self._keys_in(shard)) for shard in self._shards]
        if self._delivers_messages:
            await self._pubsub.start(self._shards)

    async def close(self) -> None:
        """See `Broker.close`."""
        await self._pubsub.close()
        await self._shards.close()

    @property
    def outage(self) -> str:
        """See `RemoteEngine`.

        A node that receives nothing has an outage even while its publishes succeed.
        """
        return self._shards.outage or self._pubsub.outage

    @property
    def silence(self) -> float:
        """The longest silence of all shards; see `ConnectionSupervisor.silence`."""
        return self._pubsub.silence

    def subscribe(self, channel: str) -> Awaitable[None]:
        """See `Broker.subscribe`."""
        index = self._shards.index_of(channel)
        name = self._locations[index].keys.pubsub_channel(channel).encode()
        self._channels[name] = channel
        return self._pubsub.group_of(index, channel).subscribe(name)

    def unsubscribe(self, channel: str) -> Awaitable[None]:
        """See `Broker.unsubscribe`."""
        index = self._shards.index_of(channel)
        name = self._locations[index].keys.pubsub_channel(channel).encode()
        self._channels.pop(name, None)
        return self._pubsub.group_of(index, channel).unsubscribe(name)

    def publish(self, channel: str, data: bytes, options: PublishOptions) -> Awaitable[Published]:
        """See `Broker.publish`."""
        now = time.time_ns() // 1_000_000
        if options.keeps_history:
            meta_ttl = options.history_meta_ttl or self._history_meta_ttl
            record = encode_publication(data, options, now)
            return self._storage.append(self._location_of(channel), channel, record, options, meta_ttl)
        record = encode_publication(data, options, now, delta=options.use_delta)
        if options.idempotency_key:
            return self._publish_unless_repeated(channel, record, options.idempotency_key)
        if not self._delivers_messages:
            return _DONE
        route = self._route(channel)
        if route.name in self._channels and not options.use_delta and len(record) <= _MAX_OWN_SIZE:
            own = self._own_publications
            if len(own) >= _MAX_OWN:
                own.clear()  # publications that have not arrived by now were lost
            tags, version = options.tags or None, options.version
            own[record] = Publication(data, 0, options.info, tags, now, version=version, is_json=options.is_json)
        return route.send(record)

    async def _publish_unless_repeated(self, channel: str, record: bytes, idempotency_key: str) -> Published:
        location = self._location_of(channel)
        keys = (location.keys.result(channel, idempotency_key),)
        repeated = await self._publish_once.run(
            location.shard, keys, record, location.keys.pubsub_channel(channel), RESULT_TTL
        )
        # It is not counted as suppressed (07 §6.1), but the delivering broker has to know.
        return _REPEATED if repeated and not self._delivers_messages else _DONE

    async def publish_join(self, channel: str, info: ClientInfo) -> None:
        """See `Broker.publish_join`."""
        await self._route(channel).send(encode_join(info))

    async def publish_leave(self, channel: str, info: ClientInfo) -> None:
        """See `Broker.publish_leave`."""
        await self._route(channel).send(encode_leave(info))

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
        location = self._location_of(channel)
        meta_ttl = meta_ttl or self._history_meta_ttl
        return await self._storage.read(location, channel, since, limit, reverse=reverse, meta_ttl=meta_ttl)

    async def remove_history(self, channel: str) -> None:
        """See `Broker.remove_history`."""
        location = self._location_of(channel)
        key = self._storage.key(location.keys, channel)
        await location.shard.execute(("DEL", key), key)

    # ------------------------------------------------------------------------------------------ inside

    def _keys_in(self, shard: Shard) -> ChannelKeys:
        if not self._delivers_messages:
            return StorageOnlyKeys(self._prefix, tagged=shard.is_cluster)
        if self._pubsub_options.tags:
            return PartitionedKeys(self._prefix, self._pubsub_options.tags)
        return ChannelKeys(self._prefix, tagged=shard.is_cluster)

    def _find_route(self, channel: str) -> _Route:
        location = self._location_of(channel)
        name = location.keys.pubsub_channel(channel)
        execute = location.shard.execute if self._pubsub_options.tags else location.shard.publish
        return _Route(execute, name.encode(), b"*3\r\n" + pack_words(self._publish, name))

    def _location_of(self, channel: str) -> Location:
        return self._locations[self._shards.index_of(channel)]

    def _on_message(self, name: bytes, payload: bytes) -> None:
        channel = self._channels.get(name)
        if channel is None:
            return  # a probe, or a channel that is being unsubscribed
        own = self._own_publications.pop(payload, None)
        if own is not None:
            self._events.on_publication(channel, own, "", use_delta=False, previous=None)
            return
        try:
            deliver(payload, channel, self._events)
        except MalformedRecord as error:
            self._count_error("handle_client_message")
            log.error("malformed message from Redis", channel=channel, error=error)

    async def _check(self, shard: Shard) -> None:
        """Check that Redis supports the configured features (07 §6.5)."""
        if not self._use_lists:
            await self._check_streams(shard)
        if self._pubsub_options.tags:
            await self._check_partitions(shard)

    async def _check_partitions(self, shard: Shard) -> None:
        if not isinstance(shard, ClusterShard):
            raise EngineUnavailable(f"sharded PUB/SUB needs a cluster, which Redis at {shard.target} is not")
        name = sharded_publish_check_channel(self._prefix)
        try:
            await shard.execute(("SPUBLISH", name, ""), name)
        except CommandError as error:
            text = f"Redis at {shard.target} has no sharded PUB/SUB: version 7 or newer is needed: {error}"
            raise EngineUnavailable(text) from error

    async def _check_streams(self, shard: Shard) -> None:
        key = streams_check_key(self._prefix)
        try:
            await shard.execute(("XRANGE", key, "0-0", "0-0"), key)
        except CommandError as error:
            if "unknown command" in str(error).lower():
                text = f"Redis at {shard.target} has no streams: version 5 or newer is needed, or history_use_lists"
                raise EngineUnavailable(text) from error
            raise EngineUnavailable(f"Redis at {shard.target} cannot be used: {error}") from error


def _done(_receivers: int) -> Published:
    return _DONE
