"""Reading from replicas what may be a moment old (07 §22.3)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from ..connections.command_connection import Link
from ..connections.errors import CommandRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ..connections.address import Address, Login
    from ..connections.connection import Command

log = get_logger(__name__)

_TURN: Final = random.randrange(2**16)
"""Nodes prefer different replicas; each stays with its own, so that what it reads does not go back in time."""


class Replica(Link):
    """The way to one replica."""

    def __init__(self, address: Address, login: Login, on_loss: Callable[[], None]) -> None:
        self.address = address
        super().__init__(self._find_address, login, on_loss)

    async def _find_address(self) -> Address:
        return self.address

    def _note_failure(self, error: EngineUnavailable) -> None:
        if not self.is_lost:
            log.warn("a replica of Redis cannot be read, so its primary is", address=self.address, error=error)
        super()._note_failure(error)


class Readers:
    """Links to replicas, which come and go."""

    def __init__(self, login: Login, on_loss: Callable[[], None]) -> None:
        """`login`: how a replica is made to answer. `on_loss`: see `Link`."""
        self._login = login
        self._on_loss = on_loss
        self._links: dict[Address, Replica] = {}

    def know(self, addresses: Iterable[Address]) -> None:
        """Use these from now on, and no others."""
        known = set(addresses)
        for address in self._links.keys() - known:
            self._links.pop(address).retire()
        for address in known - self._links.keys():
            self._links[address] = Replica(address, self._login, self._on_loss)

    def of(self, addresses: Iterable[Address]) -> tuple[Replica, ...]:
        """Those at some addresses, best first."""
        links = [self._links[address] for address in sorted(addresses, key=str)]
        first = _TURN % len(links) if links else 0
        return (*links[first:], *links[:first])

    async def close(self) -> None:
        """Disconnect."""
        for link in self._links.values():
            await link.close()


async def read(replicas: Iterable[Replica], command: Command, elsewhere: Callable[[], Awaitable[Any]]) -> Any:
    """Execute a command that writes nothing on the first replica that is there. What does not come back from it, and
    what it refuses, is executed `elsewhere`, except for a script that it does not know."""
    for replica in replicas:
        if not replica.is_lost:
            try:
                return await replica.execute(command)
            except CommandRefused as error:
                if error.code == "NOSCRIPT":
                    raise
                log.debug("a replica of Redis refuses to be read", address=replica.address, error=error)
            except EngineUnavailable as error:
                log.debug("a replica of Redis cannot be read", address=replica.address, error=error)
            break
    return await elsewhere()
