"""One shard: an installation of Redis in whatever form, seen as something that executes commands (07 §4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from fanjet.engines.interfaces import EngineUnavailable

from ..connections.address import Mode
from ..connections.command_connection import Link
from ..connections.connection import Connection, connect
from ..connections.errors import CommandRefused
from ..pubsub.connectors import Place, Places
from .cluster import ClusterShard
from .sentinel import SentinelShard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..connections.address import Address, Target
    from ..connections.connection import Command, Reading


class Shard(Place, Protocol):
    """What the engine needs of an installation."""

    is_cluster: bool
    """Whether names of keys and PUB/SUB channels carry hash tags (07 §5)."""

    async def start(self) -> None:
        """Connect. Raises `EngineUnavailable`."""

    async def close(self) -> None:
        """Disconnect."""

    def execute(self, command: Command, key: bytes | str, reading: Reading | None = None) -> Awaitable[Any]:
        """Execute a command at the primary that has the key. The result is the reply, or what `reading` makes of it.
        Raises `EngineUnavailable`, here or when awaited."""

    def publish(self, command: Command, key: bytes | str, reading: Reading | None = None) -> Awaitable[Any]:
        """Execute a command that every primary passes on to all, a PUBLISH: like any other, but while the primary that
        has the key is lost, at another one."""

    def read(self, command: Command, key: bytes | str) -> Awaitable[Any]:
        """Execute a command that writes nothing on a replica that has the key; where there is none, or it is not well,
        on the primary. Raises `EngineUnavailable` when awaited."""

    @property
    def is_lost(self) -> bool:
        """Whether commands cannot be executed now, or not all of them."""


class StandaloneShard:
    """One server."""

    is_cluster = False

    def __init__(self, target: Target) -> None:
        self.target = target
        self.replica_login = target.login
        self.places = Places((target.seeds[0],))
        self._link = Link(self._find_address, target.login)
        self.execute, self.publish = self._link.execute, self._link.publish  # without a call in between

    async def start(self) -> None:
        """See `Shard.start`."""
        await self._link.connection()

    async def close(self) -> None:
        """See `Shard.close`."""
        await self._link.close()

    def read(self, command: Command, key: bytes | str) -> Awaitable[Any]:
        """See `Shard.read`. It has no replicas that anybody knows."""
        return self._link.execute(command)

    async def find_places(self) -> Places:
        """See `Place.find_places`."""
        return self.places

    @property
    def is_lost(self) -> bool:
        """See `Shard.is_lost`."""
        return self._link.is_lost

    def follow(self, leave: Callable[[str], None]) -> None:
        """See `Place.follow`. It stays where it is."""

    def watch(self, look: Callable[[], None]) -> None:
        """See `Place.watch`. It stays as it is."""

    async def _find_address(self) -> Address:
        return self.target.seeds[0]


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
