"""Reads from replicas, which may be slightly stale (07 §22.3)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from ..connections.command_connection import CommandConnection
from ..connections.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ..connections.address import Address, Login
    from ..connections.connection import Command

log = get_logger(__name__)

_REPLICA_ORDER: Final = random.randrange(2**16)
"""Nodes prefer different replicas; each keeps its choice, so that its reads do not go back in time."""


class Replica(CommandConnection):
    """The command connection to one replica."""

    def __init__(self, address: Address, login: Login, on_loss: Callable[[], None]) -> None:
        self.address = address
        super().__init__(self._find_address, login, on_loss)

    async def _find_address(self) -> Address:
        return self.address

    def _on_failure(self, error: EngineUnavailable) -> None:
        if not self.is_lost:
            log.warn("cannot read from a Redis replica, using its primary", address=self.address, error=error)
        super()._on_failure(error)


class ReplicaPool:
    """Command connections to the current replicas."""

    def __init__(self, login: Login, on_loss: Callable[[], None]) -> None:
        """`login` enables reads from replicas. `on_loss`: see `CommandConnection`."""
        self._login = login
        self._on_loss = on_loss
        self._replicas: dict[Address, Replica] = {}

    def update(self, addresses: Iterable[Address]) -> None:
        """Connect to exactly these replicas from now on."""
        current = set(addresses)
        for address in self._replicas.keys() - current:
            self._replicas.pop(address).close_soon()
        for address in current - self._replicas.keys():
            self._replicas[address] = Replica(address, self._login, self._on_loss)

    def at(self, addresses: Iterable[Address]) -> tuple[Replica, ...]:
        """The replicas at these addresses, in order of preference."""
        replicas = [self._replicas[address] for address in sorted(addresses, key=str)]
        first = _REPLICA_ORDER % len(replicas) if replicas else 0
        return (*replicas[first:], *replicas[:first])

    async def close(self) -> None:
        """Disconnect."""
        for replica in self._replicas.values():
            await replica.close()


async def read_from_replicas(
    replicas: Iterable[Replica], command: Command, fallback: Callable[[], Awaitable[Any]]
) -> Any:
    """Execute a read-only command on the first connected replica.

    If that fails, `fallback` executes it, except after NOSCRIPT, which the caller handles.
    """
    for replica in replicas:
        if not replica.is_lost:
            try:
                return await replica.execute(command)
            except CommandError as error:
                if error.code == "NOSCRIPT":
                    raise
                log.debug("a Redis replica refused a read", address=replica.address, error=error)
            except EngineUnavailable as error:
                log.debug("cannot read from a Redis replica", address=replica.address, error=error)
            break
    return await fallback()
