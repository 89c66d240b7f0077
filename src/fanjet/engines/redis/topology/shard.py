"""One Redis shard, in any form of deployment.

A shard is a standalone server, a Sentinel-managed primary or a cluster (07 §4.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from fanjet.engines.interfaces import EngineUnavailable

from ..connections.address import Mode
from ..connections.command_connection import CommandConnection
from ..connections.connection import Connection, connect
from ..connections.errors import CommandError
from .cluster import ClusterShard
from .endpoints import EndpointProvider, Endpoints
from .sentinel import SentinelShard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..connections.address import Address, Target
    from ..connections.connection import Command, Decode


class Shard(EndpointProvider, Protocol):
    """A Redis deployment of any form, which executes commands."""

    is_cluster: bool
    """Whether keys and PUB/SUB channels contain hash tags (07 §5)."""

    async def start(self) -> None:
        """Connect. Raises `EngineUnavailable`."""

    async def close(self) -> None:
        """Disconnect."""

    def execute(self, command: Command, key: bytes | str, decode: Decode | None = None) -> Awaitable[Any]:
        """Execute a command on the primary that has the key.

        The result is the reply, decoded by `decode` if given. Raises `EngineUnavailable`, here or when awaited.
        """

    def publish(self, command: Command, key: bytes | str, decode: Decode | None = None) -> Awaitable[Any]:
        """Execute a PUBLISH, which the primaries of a cluster broadcast.

        While the primary that has the key is lost, it is sent to another one.
        """

    def read(self, command: Command, key: bytes | str) -> Awaitable[Any]:
        """Execute a command that writes nothing on a replica that has the key.

        It is executed on the primary where no replica is available. Raises `EngineUnavailable` when awaited.
        """

    @property
    def is_lost(self) -> bool:
        """Whether some or all commands cannot be executed now."""


class StandaloneShard:
    """A single server."""

    is_cluster = False

    def __init__(self, target: Target) -> None:
        self.target = target
        self.replica_login = target.login
        self.endpoints = Endpoints((target.seeds[0],))
        self._commands = CommandConnection(self._find_address, target.login)
        self.execute, self.publish = self._commands.execute, self._commands.publish  # bound here, to save a call

    async def start(self) -> None:
        """See `Shard.start`."""
        await self._commands.connection()

    async def close(self) -> None:
        """See `Shard.close`."""
        await self._commands.close()

    def read(self, command: Command, key: bytes | str) -> Awaitable[Any]:
        """See `Shard.read`. Its replicas are unknown."""
        return self._commands.execute(command)

    async def find_endpoints(self) -> Endpoints:
        """See `EndpointProvider.find_endpoints`."""
        return self.endpoints

    @property
    def is_lost(self) -> bool:
        """See `Shard.is_lost`."""
        return self._commands.is_lost

    def watch_primary(self, on_changed: Callable[[str], None]) -> None:
        """See `EndpointProvider.watch_primary`. Never called."""

    def watch_endpoints(self, on_updated: Callable[[], None]) -> None:
        """See `EndpointProvider.watch_endpoints`. Never called."""

    async def _find_address(self) -> Address:
        return self.target.seeds[0]


async def open_shard(target: Target) -> Shard:
    """Detect the form of the deployment and connect. Raises `EngineUnavailable`."""
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
        # Where the configuration says "cluster", keys carry hash tags even if a single server answers (07 §4.3).
        shard = StandaloneShard(target)
        shard.is_cluster = target.mode is Mode.CLUSTER
        return shard
    return ClusterShard(target)


async def _is_cluster(target: Target) -> bool:
    connection = await connect(target.seeds[0], target.login, Connection)
    try:
        return bool(await connection.execute(("CLUSTER", "SLOTS")))
    except CommandError as error:
        if "CLUSTER" in str(error).upper():
            return False
        raise EngineUnavailable(f"cannot get the topology of Redis at {target}: {error}") from error
    finally:
        await connection.wait_closed()
