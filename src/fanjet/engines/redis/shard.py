"""One shard: an installation of Redis in whatever form, seen as something that executes commands (07 §4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from fanjet.engines.interfaces import EngineUnavailable

from .address import Address, Mode, Target
from .cluster import ClusterShard
from .connection import Connection, connect
from .errors import CommandRefused
from .link import Link
from .sentinel import SentinelShard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .connection import Command


class Shard(Protocol):
    """What the engine needs of an installation."""

    is_cluster: bool
    """Whether names of keys and PUB/SUB channels carry hash tags (07 §5)."""
    target: Target

    async def start(self) -> None:
        """Connect. Raises `EngineUnavailable`."""

    async def close(self) -> None:
        """Disconnect."""

    def execute(self, command: Command, key: bytes | str) -> Awaitable[Any]:
        """Execute a command where `key` is. Raises `EngineUnavailable`, here or when awaited."""

    async def listening_address(self) -> Address:
        """Where a connection for PUB/SUB is to be opened now. Raises `EngineUnavailable`."""

    @property
    def is_lost(self) -> bool:
        """Whether commands cannot be executed now, or not all of them."""

    def follow(self, leave: Callable[[str], None]) -> None:
        """Have `leave` called, with the reason, when such a connection has to be opened elsewhere."""


class StandaloneShard:
    """One server."""

    is_cluster = False

    def __init__(self, target: Target) -> None:
        self.target = target
        self._link = Link(self.listening_address, target.login)

    async def start(self) -> None:
        """See `Shard.start`."""
        await self._link.connection()

    async def close(self) -> None:
        """See `Shard.close`."""
        await self._link.close()

    def execute(self, command: Command, key: bytes | str) -> Awaitable[Any]:
        """See `Shard.execute`."""
        return self._link.execute(command)

    async def listening_address(self) -> Address:
        """See `Shard.listening_address`."""
        return self.target.seeds[0]

    @property
    def is_lost(self) -> bool:
        """See `Shard.is_lost`."""
        return self._link.is_lost

    def follow(self, leave: Callable[[str], None]) -> None:
        """See `Shard.follow`. It stays where it is."""


async def open_shard(target: Target) -> Shard:
    """Find out what is there, and connect. Raises `EngineUnavailable`."""
    shard = await _shard_for(target)
    try:
        await shard.start()
    except BaseException:
        await shard.close()
        raise
    return shard


async def _shard_for(target: Target) -> Shard:
    if target.mode is Mode.SENTINEL:
        return SentinelShard(target)
    if len(target.seeds) == 1 and not await _is_cluster(target):
        # The names in use are those of a cluster where the configuration says so, whatever answers (07 §4.3).
        shard = StandaloneShard(target)
        shard.is_cluster = target.mode is Mode.CLUSTER
        return shard
    return ClusterShard(target)


async def _is_cluster(target: Target) -> bool:
    connection = await connect(target.seeds[0], target.login, Connection)
    try:
        return bool(await connection.execute(("CLUSTER", "SLOTS")))
    except CommandRefused as error:
        if "CLUSTER" in str(error).upper():
            return False
        raise EngineUnavailable(f"error asking Redis at {target} for its topology: {error}") from error
    finally:
        await connection.wait_closed()
