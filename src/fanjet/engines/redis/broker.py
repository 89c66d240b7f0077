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

from .connections.errors import CommandRefused
from .envelope import deliver, encode_join, encode_leave
from .history import RESULT_TTL, Lists, Storage, Streams
from .keys import ChannelNames, MuteNames, NodeNames, PartitionedNames, capability_check, sharded_publish_check
from .pubsub.broker_pubsub import Hearing, HearingOptions
from .script import Script, pack_words
from .shards import Home
from .topology.cluster import ClusterShard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fanjet.engines.interfaces import BrokerEvents
    from fanjet.protocol.publication import ClientInfo, StreamPosition

    from .shards import Shards
    from .topology.shard import Shard

log = get_logger(__name__)

_CHANNELS: Final = 4096
"""Whose routes are remembered."""
_MOST_OWN: Final = 512
"""Publications of this node that are remembered while they are under way."""
_LONGEST_OWN: Final = 16 * 1024
"""Bytes of a record that is."""
_DONE: Final = Published()
_REPEATED: Final = Published(suppressed="idempotency")


class _Route(Struct, frozen=True):
    """Where messages of a channel go: what executes, their name, and the command up to the message. Finding out and
    packing for each takes 0.4 µs."""

    execute: Callable[[bytes, bytes, Callable[[int], Published]], Awaitable[Published]]
    name: bytes
    opening: bytes

    def send(self, message: bytes) -> Awaitable[Published]:
        """Publish it to all nodes that hear the channel."""
        return self.execute(b"%b$%d\r\n%b\r\n" % (self.opening, len(message), message), self.name, _done)


class RedisBroker:
    """Streams, and PUB/SUB in one atomic step with them. A channel lives on one shard.

    `history_meta_ttl` (whole seconds) counts where a call names none; 0: streams stay for ever. `count_error` gets the
    names of errors (07 §24).

    `carries_messages`: False where something else delivers what is published, so that streams and idempotency keys are
    all there is here.
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
        carries_messages: bool = True,
        hearing: HearingOptions = HearingOptions(),  # noqa: B008 (it is frozen)
        count_error: Callable[[str], None] = lambda _error: None,
    ) -> None:
        self._shards = shards
        self._events = events
        self._prefix = prefix
        self._history_meta_ttl = history_meta_ttl
        self._use_lists = use_lists
        self._count_error = count_error
        self._carries_messages = carries_messages
        self._hearing_options = hearing
        self._hearing = Hearing(hearing, NodeNames(prefix, uid), self._take, events.on_restored, count_error)
        self._publish = "SPUBLISH" if hearing.tags else "PUBLISH"
        self._storage: Storage = Lists(self._publish) if use_lists else Streams(self._publish)
        self._publish_once = Script("publish_once", self._publish)
        self._homes: list[Home] = []
        self._channels: dict[bytes, str] = {}
        self._own: dict[bytes, Publication] = {}
        """What was published here and is heard here: when it comes back as it went out, it need not be read."""
        self._route = lru_cache(_CHANNELS)(self._find_route)

    async def start(self) -> None:
        """See `Broker.start`. A server without streams is refused where they are wanted, one without sharded PUB/SUB
        where that is."""
        needs_replicas = "subscribe_on_replica" if self._hearing_options.at_replicas else ""
        await self._shards.start(needs_replicas=needs_replicas)
        await asyncio.gather(*(self._check(shard) for shard in self._shards))
        self._homes = [Home(shard, self._names_in(shard)) for shard in self._shards]
        if self._carries_messages:
            await self._hearing.start(self._shards)

    async def close(self) -> None:
        """See `Broker.close`."""
        await self._hearing.close()
        await self._shards.close()

    @property
    def outage(self) -> str:
        """See `RemoteEngine`. A node that hears nothing has lost its broker even while its publishes succeed."""
        return self._shards.outage or self._hearing.outage

    @property
    def silence(self) -> float:
        """Seconds since the shard from which nothing has been heard for longest was heard; see `Listener.silence`."""
        return self._hearing.silence

    def subscribe(self, channel: str) -> Awaitable[None]:
        """See `Broker.subscribe`."""
        number = self._shards.number_of(channel)
        name = self._homes[number].names.messages(channel).encode()
        self._channels[name] = channel
        return self._hearing.ear(number, channel).subscribe(name)

    def unsubscribe(self, channel: str) -> Awaitable[None]:
        """See `Broker.unsubscribe`."""
        number = self._shards.number_of(channel)
        name = self._homes[number].names.messages(channel).encode()
        self._channels.pop(name, None)
        return self._hearing.ear(number, channel).unsubscribe(name)

    def publish(self, channel: str, data: bytes, options: PublishOptions) -> Awaitable[Published]:
        """See `Broker.publish`."""
        now = time.time_ns() // 1_000_000
        if options.keeps_history:
            meta_ttl = options.history_meta_ttl or self._history_meta_ttl
            record = encode_publication(data, options, now)
            return self._storage.append(self._home_of(channel), channel, record, options, meta_ttl)
        record = encode_publication(data, options, now, delta=options.use_delta)
        if options.idempotency_key:
            return self._publish_unless_repeated(channel, record, options.idempotency_key)
        if not self._carries_messages:
            return _DONE
        route = self._route(channel)
        if route.name in self._channels and not options.use_delta and len(record) <= _LONGEST_OWN:
            own = self._own
            if len(own) >= _MOST_OWN:
                own.clear()  # what has not come back by now was lost on the way
            tags, version = options.tags or None, options.version
            own[record] = Publication(data, 0, options.info, tags, now, version=version, is_json=options.is_json)
        return route.send(record)

    async def _publish_unless_repeated(self, channel: str, record: bytes, idempotency_key: str) -> Published:
        home = self._home_of(channel)
        keys = (home.names.result(channel, idempotency_key),)
        repeated = await self._publish_once.run(home.shard, keys, record, home.names.messages(channel), RESULT_TTL)
        # It is not counted as suppressed (07 §6.1), but who delivers has to know.
        return _REPEATED if repeated and not self._carries_messages else _DONE

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
        home = self._home_of(channel)
        meta_ttl = meta_ttl or self._history_meta_ttl
        return await self._storage.read(home, channel, since, limit, reverse=reverse, meta_ttl=meta_ttl)

    async def remove_history(self, channel: str) -> None:
        """See `Broker.remove_history`."""
        home = self._home_of(channel)
        key = self._storage.key(home.names, channel)
        await home.shard.execute(("DEL", key), key)

    # ------------------------------------------------------------------------------------------ inside

    def _names_in(self, shard: Shard) -> ChannelNames:
        if not self._carries_messages:
            return MuteNames(self._prefix, tagged=shard.is_cluster)
        if self._hearing_options.tags:
            return PartitionedNames(self._prefix, self._hearing_options.tags)
        return ChannelNames(self._prefix, tagged=shard.is_cluster)

    def _find_route(self, channel: str) -> _Route:
        home = self._home_of(channel)
        name = home.names.messages(channel)
        execute = home.shard.execute if self._hearing_options.tags else home.shard.publish
        return _Route(execute, name.encode(), b"*3\r\n" + pack_words(self._publish, name))

    def _home_of(self, channel: str) -> Home:
        return self._homes[self._shards.number_of(channel)]

    def _take(self, name: bytes, payload: bytes) -> None:
        channel = self._channels.get(name)
        if channel is None:
            return  # a probe, or a channel that is being given up
        own = self._own.pop(payload, None)
        if own is not None:
            self._events.on_publication(channel, own, "", use_delta=False, previous=None)
            return
        try:
            deliver(payload, channel, self._events)
        except MalformedRecord as error:
            self._count_error("handle_client_message")
            log.error("malformed message from Redis", channel=channel, error=error)

    async def _check(self, shard: Shard) -> None:
        """That Redis can do what is wanted of it (07 §6.5)."""
        if not self._use_lists:
            await self._check_streams(shard)
        if self._hearing_options.tags:
            await self._check_partitions(shard)

    async def _check_partitions(self, shard: Shard) -> None:
        if not isinstance(shard, ClusterShard):
            raise EngineUnavailable(f"sharded PUB/SUB needs a cluster, which Redis at {shard.target} is not")
        name = sharded_publish_check(self._prefix)
        try:
            await shard.execute(("SPUBLISH", name, ""), name)
        except CommandRefused as error:
            text = f"Redis at {shard.target} has no sharded PUB/SUB: version 7 or newer is needed: {error}"
            raise EngineUnavailable(text) from error

    async def _check_streams(self, shard: Shard) -> None:
        key = capability_check(self._prefix)
        try:
            await shard.execute(("XRANGE", key, "0-0", "0-0"), key)
        except CommandRefused as error:
            if "unknown command" in str(error).lower():
                text = f"Redis at {shard.target} has no streams: version 5 or newer is needed, or history_use_lists"
                raise EngineUnavailable(text) from error
            raise EngineUnavailable(f"Redis at {shard.target} cannot be used: {error}") from error


def _done(_receivers: int) -> Published:
    return _DONE
