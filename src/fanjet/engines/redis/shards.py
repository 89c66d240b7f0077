"""The shards of one configuration section, shared by its engines (07 §4.5)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct

from fanjet.config.errors import ConfigError

from .connections.address import parse_targets
from .keys import ChannelKeys
from .sharding import jump_hash
from .topology.shard import Shard, StandaloneShard, open_shard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanjet.config.tree.redis import RedisConnection


class Location(Struct, frozen=True):
    """The shard of a channel and the keys in use there."""

    shard: Shard
    keys: ChannelKeys


class Shards:
    """Connected by the first engine that starts, disconnected by the last that closes."""

    def __init__(self, config: RedisConnection) -> None:
        self._config = config
        self._user_count = 0
        self._shards: list[Shard] = []

    async def start(self, *, needs_replicas: str = "") -> None:
        """Connect.

        `needs_replicas`: the name of an option that requires replicas, if one does. Raises `EngineUnavailable`,
        `ConfigError`, `TLSError`.
        """
        self._user_count += 1
        configured = parse_targets(self._config)
        for target in configured:
            if needs_replicas and not target.with_replicas:
                raise ConfigError(f"{needs_replicas} needs replica_client.enabled, which is off for Redis at {target}")
        if self._user_count == 1:
            opened = await asyncio.gather(*map(open_shard, configured), return_exceptions=True)
            self._shards = [each for each in opened if not isinstance(each, BaseException)]
            for each in opened:
                if isinstance(each, BaseException):
                    raise each
        if needs_replicas:
            self._reject_standalone_servers(needs_replicas)

    def _reject_standalone_servers(self, option: str) -> None:
        """Refuse shards without replicas for an option that uses them.

        Only such an option is an error here; `replica_client.enabled` alone has no effect (04 §14).
        """
        for shard in self._shards:
            if isinstance(shard, StandaloneShard):
                raise ConfigError(f"{option}: Redis at {shard.target} is neither a cluster nor watched by Sentinels")

    async def close(self) -> None:
        """Disconnect."""
        self._user_count -= 1
        if not self._user_count:
            await asyncio.gather(*(shard.close() for shard in self._shards))

    def __iter__(self) -> Iterator[Shard]:
        return iter(self._shards)

    @property
    def outage(self) -> str:
        """The shards that cannot be reached now; empty while all can."""
        return ", ".join(f"Redis at {shard.target}" for shard in self._shards if shard.is_lost)

    def locations(self, prefix: str) -> list[Location]:
        """The locations of channels, by shard index."""
        return [Location(shard, ChannelKeys(prefix, tagged=shard.is_cluster)) for shard in self._shards]

    def index_of(self, channel: str) -> int:
        """The index of the shard of a channel."""
        count = len(self._shards)
        return jump_hash(channel, count) if count > 1 else 0
