"""The Redis presence manager (07 §9)."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.engines.records import MalformedRecord, decode_info, encode_info
from fanjet.net.time_slicing import map_sliced

from .script import Script

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from fanjet.protocol.publication import ClientInfo

    from .connections.connection import Command
    from .script import Executor
    from .shards import Location, Shards
    from .topology.shard import Shard


class RedisPresenceManager:
    """Presence in Redis, with entries that expire.

    Entries expire `ttl` seconds after the last refresh, so that those of a dead node disappear.

    `field_ttl`: let Redis (7.4 or newer) expire the hash fields. `count_users`: count connections by user, so that
    statistics need not read all entries. `from_replicas`: read from replicas, slightly stale; only with `field_ttl`,
    because otherwise reads remove expired entries.
    """

    def __init__(
        self,
        shards: Shards,
        *,
        prefix: str,
        ttl: int = 60,
        field_ttl: bool = False,
        count_users: bool = False,
        from_replicas: bool = False,
    ) -> None:
        self._shards = shards
        self._from_replicas = from_replicas
        self._prefix = prefix
        self._ttl = ttl or 60
        self._field_ttl = "1" if field_ttl else ""
        self._count_users = "1" if count_users else ""
        self._locations: list[Location] = []
        self._add = Script("presence_add")
        self._remove = Script("presence_remove")
        self._read = Script("presence_read")
        self._stats = Script("presence_stats")

    @property
    def outage(self) -> str:
        """See `RemoteEngine`."""
        return self._shards.outage

    async def start(self) -> None:
        """See `PresenceManager.start`."""
        await self._shards.start(needs_replicas="presence_read_from_replica" if self._from_replicas else "")
        self._locations = self._shards.locations(self._prefix)

    async def close(self) -> None:
        """See `PresenceManager.close`."""
        await self._shards.close()

    async def add(self, channel: str, client: str, info: ClientInfo) -> None:
        """See `PresenceManager.add`."""
        shard, keys = self._location(channel)
        expires_at = int(time.time()) + self._ttl
        await self._add.run(
            shard,
            keys,
            client,
            encode_info(info),
            info.user,
            self._ttl,
            expires_at,
            self._count_users,
            self._field_ttl,
        )

    async def remove(self, channel: str, client: str, user: str) -> None:
        """See `PresenceManager.remove`."""
        shard, keys = self._location(channel)
        await self._remove.run(shard, keys, client, user, self._count_users, self._field_ttl)

    async def presence(self, channel: str) -> dict[str, ClientInfo]:
        """See `PresenceManager.presence`."""
        entries = await self._entries(channel)
        with _decoding(channel):
            return dict(await map_sliced(_decode_entry, list(zip(entries[::2], entries[1::2], strict=True))))

    async def presence_stats(self, channel: str) -> tuple[int, int]:
        """See `PresenceManager.presence_stats`."""
        if not self._count_users:
            infos = (await self._entries(channel))[1::2]
            with _decoding(channel):
                return len(infos), len(set(await map_sliced(_decode_user, infos)))
        shard, keys = self._location(channel)
        clients, users = await self._stats.run(self._reader(shard), keys, int(time.time()), self._field_ttl)
        return clients, users

    async def _entries(self, channel: str) -> list[bytes]:
        """Client ids and their infos, alternating."""
        shard, keys = self._location(channel)
        entries: list[bytes] = await self._read.run(self._reader(shard), keys[:2], int(time.time()), self._field_ttl)
        return entries

    def _reader(self, shard: Shard) -> Executor:
        return _ReplicaReader(shard) if self._from_replicas else shard

    def _location(self, channel: str) -> tuple[Shard, tuple[str, str, str, str]]:
        location = self._locations[self._shards.index_of(channel)]
        return location.shard, location.keys.presence(channel)


class _ReplicaReader(Struct, frozen=True):
    """Executes scripts on the replicas of a shard."""

    shard: Shard

    def execute(self, command: Command, key: bytes | str) -> Awaitable[Any]:
        """See `Shard.read`."""
        return self.shard.read(command, key)


def _decode_entry(pair: tuple[bytes, bytes]) -> tuple[str, ClientInfo]:
    client, info = pair
    return client.decode(), decode_info(info)


def _decode_user(info: bytes) -> str:
    return decode_info(info).user


@contextmanager
def _decoding(channel: str) -> Iterator[None]:
    try:
        yield
    except (MalformedRecord, UnicodeDecodeError) as error:
        raise EngineUnavailable(f"malformed presence entry of {channel!r}: {error}") from error
