"""All shards that one section of the configuration names, shared by those who work on them (07 §4.5)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct

from fanjet.config.errors import ConfigError

from .connections.address import targets
from .keys import ChannelNames
from .sharding import place
from .topology.shard import Shard, StandaloneShard, open_shard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanjet.config.tree.redis import RedisConnection


class Home(Struct, frozen=True):
    """Where a channel lives: its shard, and the names in use there."""

    shard: Shard
    names: ChannelNames


class Shards:
    """Opened with the first of those who share them, closed with the last."""

    def __init__(self, config: RedisConnection) -> None:
        self._config = config
        self._users = 0
        self._shards: list[Shard] = []

    async def start(self, *, needs_replicas: str = "") -> None:
        """Connect. `needs_replicas`: the option that has nothing to work with where replicas may not be used. Raises
        `EngineUnavailable`, `ConfigError`, `TLSError`."""
        self._users += 1
        wanted = targets(self._config)
        for target in wanted:
            if needs_replicas and not target.with_replicas:
                raise ConfigError(f"{needs_replicas} needs replica_client.enabled, which is off for Redis at {target}")
        if self._users == 1:
            opened = await asyncio.gather(*map(open_shard, wanted), return_exceptions=True)
            self._shards = [each for each in opened if not isinstance(each, BaseException)]
            for each in opened:
                if isinstance(each, BaseException):
                    raise each
        if needs_replicas:
            self._refuse_servers_alone(needs_replicas)

    def _refuse_servers_alone(self, option: str) -> None:
        """Without an option that uses replicas, that they may be used means nothing there (04 §14)."""
        for shard in self._shards:
            if isinstance(shard, StandaloneShard):
                raise ConfigError(f"{option}: Redis at {shard.target} is neither a cluster nor watched by Sentinels")

    async def close(self) -> None:
        """Disconnect."""
        self._users -= 1
        if not self._users:
            await asyncio.gather(*(shard.close() for shard in self._shards))

    def __iter__(self) -> Iterator[Shard]:
        return iter(self._shards)

    @property
    def outage(self) -> str:
        """Which of them cannot be reached now, empty while all can."""
        return ", ".join(f"Redis at {shard.target}" for shard in self._shards if shard.is_lost)

    def homes(self, prefix: str) -> list[Home]:
        """Where channels live, by the numbers that `number_of` gives."""
        return [Home(shard, ChannelNames(prefix, tagged=shard.is_cluster)) for shard in self._shards]

    def number_of(self, channel: str) -> int:
        """The number of the shard where a channel is."""
        count = len(self._shards)
        return place(channel, count) if count > 1 else 0
