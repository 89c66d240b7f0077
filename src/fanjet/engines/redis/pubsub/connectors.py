"""Open PUB/SUB connections to the primary or to a replica (07 §8.1, §22.3)."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from ..connections.connection import connect
from ..connections.errors import CommandError
from .connection import PubSubConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..connections.address import Address, Login, Target
    from ..topology.endpoints import EndpointProvider, Endpoints

log = get_logger(__name__)

SUSPECT_SECONDS: Final = 600.0


class SuspectServers:
    """Servers that delivered nothing although messages were published.

    They are avoided for `SUSPECT_SECONDS`.
    """

    def __init__(self) -> None:
        self._until: dict[Address, float] = {}

    def add(self, address: Address) -> None:
        """Avoid this server for a while."""
        self._until[address] = asyncio.get_running_loop().time() + SUSPECT_SECONDS

    def trusted(self, addresses: Iterable[Address]) -> list[Address]:
        """The addresses that are not suspect."""
        now = asyncio.get_running_loop().time()
        return [each for each in addresses if self._until.get(each, 0.0) <= now]


class PrimaryConnector:
    """Connects to a primary.

    If there are several, to another one each time, because the last may be unhealthy.
    """

    def __init__(self, provider: EndpointProvider) -> None:
        self.target = provider.target
        self.execute = provider.execute
        self.watch = provider.watch_primary
        self._provider = provider
        self._last: Address | None = None

    async def open(self) -> PubSubConnection:
        """See `Connector.open`."""
        endpoints = await self._provider.find_endpoints()
        alternatives = tuple(address for address in endpoints.primaries if address != self._last)
        self._last = random.choice(alternatives or endpoints.primaries or (None,))
        return await _open_at_primary(self._last, self.target, self.target.login)

    def mark_suspect(self, address: Address) -> None:
        """See `Connector.mark_suspect`. Ignored: there is no alternative."""

    async def close(self) -> None:
        """See `Connector.close`. Nothing to stop."""


class ReplicaConnector:
    """Connects to a replica, to relieve the primary.

    Falls back to a primary while no replica is available.

    Leaves a server that is no longer a replica, and a primary once a replica is available again, but only after the new
    connection is open. Probes are published on the primary and arrive through the replica.
    """

    def __init__(self, provider: EndpointProvider) -> None:
        self.target = provider.target
        self.execute = provider.execute
        self._provider = provider
        self._on_address_changed: Callable[[str], None] = _ignore
        self._address: Address | None = None
        self._has_replica = True
        self._suspects = SuspectServers()
        self._next_connection: PubSubConnection | None = None
        self._moving: asyncio.Task[None] | None = None

    async def open(self) -> PubSubConnection:
        """See `Connector.open`."""
        connection, self._next_connection = self._next_connection, None
        if connection is None or connection.lost.done():
            endpoints = await self._provider.find_endpoints()
            connection = await self._open_at_replica(endpoints) or await self._open_at_primary(endpoints)
        self._address = connection.address
        return connection

    def watch(self, on_address_changed: Callable[[str], None]) -> None:
        """See `Connector.watch`."""
        self._on_address_changed = on_address_changed
        self._provider.watch_endpoints(self._on_endpoints_updated)

    async def close(self) -> None:
        """See `Connector.close`."""
        self._on_address_changed = _ignore
        if self._moving is not None:
            self._moving.cancel()
            await asyncio.gather(self._moving, return_exceptions=True)
        if self._next_connection is not None:
            await self._next_connection.wait_closed()

    def mark_suspect(self, address: Address) -> None:
        """See `Connector.mark_suspect`."""
        self._suspects.add(address)

    async def _open_at_primary(self, endpoints: Endpoints) -> PubSubConnection:
        address = random.choice(endpoints.primaries or (None,))
        # With the login of a replica, because the server may become one.
        return await _open_at_primary(address, self.target, self._provider.replica_login)

    async def _open_at_replica(self, endpoints: Endpoints) -> PubSubConnection | None:
        connection = await open_at_replica(self._suspects.trusted(endpoints.replicas), self._provider.replica_login)
        if connection is None and self._has_replica:
            log.warn("no Redis replica is available for PUB/SUB, using a primary", shard=self.target)
        self._has_replica = connection is not None
        return connection

    def _on_endpoints_updated(self) -> None:
        endpoints = self._provider.endpoints
        is_preferred = self._address is None or not endpoints.primaries or self._address in endpoints.replicas
        if not is_preferred and self._moving is None and self._on_address_changed is not _ignore:
            self._moving = asyncio.get_running_loop().create_task(self._move())

    async def _move(self) -> None:
        """Open a connection to a preferred server, if there is one.

        Then have the current connection closed.
        """
        try:
            endpoints = self._provider.endpoints
            connection = await self._open_at_replica(endpoints)
            if connection is None and self._address not in endpoints.primaries:
                connection = await self._open_at_primary(endpoints)
            if connection is not None:
                if self._next_connection is not None:
                    self._next_connection.close()
                self._next_connection = connection
                self._on_address_changed(f"{connection.address} is preferred to {self._address}")
        except EngineUnavailable as error:
            log.warn("cannot move the PUB/SUB connection to another Redis server", shard=self.target, error=error)
        finally:
            self._moving = None


async def open_at_replica(addresses: Sequence[Address], login: Login) -> PubSubConnection | None:
    """A connection to the first replica that answers and is in sync.

    That is, in sync with its primary. None if there is no such replica.
    """
    loop = asyncio.get_running_loop()
    waiting = {loop.create_task(_open_if_replica(each, login)) for each in random.sample(addresses, len(addresses))}
    opened: list[PubSubConnection] = []
    try:
        while waiting and not opened:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                with suppress(EngineUnavailable):  # try the other replicas
                    opened.append(task.result())
    finally:
        for task in waiting:
            task.cancel()
        late = await asyncio.gather(*waiting, return_exceptions=True)
        spare = [*opened[1:], *(each for each in late if isinstance(each, PubSubConnection))]
        for connection in spare:
            connection.close()
    return opened[0] if opened else None


async def _open_if_replica(address: Address, login: Login) -> PubSubConnection:
    """Open a connection to a server that has to be a replica.

    Raises `EngineUnavailable` when the server cannot be reached or is not a replica connected to its primary. Where the
    ACL denies ROLE, the check is skipped.
    """
    connection = await connect(address, login, PubSubConnection)
    try:
        kind, *rest = await connection.execute(("ROLE",))
        if kind != b"slave" or rest[2] != b"connected":
            raise EngineUnavailable(f"{address} is not a replica connected to its primary")
    except CommandError:
        pass
    except BaseException:
        connection.close()
        raise
    return connection


async def _open_at_primary(address: Address | None, target: Target, login: Login) -> PubSubConnection:
    if address is None:
        raise EngineUnavailable(f"Redis at {target} has no primary now")
    return await connect(address, login, PubSubConnection)


def _ignore(_reason: str) -> None:
    """The callback while none is registered."""
