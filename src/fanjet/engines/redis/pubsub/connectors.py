"""Where a PUB/SUB connection leads: to the primary, or to a replica (07 §8.1, §22.3)."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import Struct

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from ..connections.connection import connect
from ..connections.errors import CommandRefused
from .connection import ListeningConnection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from ..connections.address import Address, Login, Target
    from ..connections.connection import Command

log = get_logger(__name__)

DISTRUST_SECONDS: Final = 600.0


class Places(Struct, frozen=True):
    """Where the same messages are heard. Replicas are those that are well, as far as is known, and they are known only
    where they may be used."""

    primaries: tuple[Address, ...]
    replicas: tuple[Address, ...] = ()


class Place(Protocol):
    """A shard, or a partition of one."""

    @property
    def target(self) -> Target:
        """As in `Shard`."""

    def execute(self, command: Command, key: bytes | str) -> Awaitable[Any]:
        """See `Shard.execute`."""

    @property
    def replica_login(self) -> Login:
        """How to connect to a replica."""

    @property
    def places(self) -> Places:
        """What is known now."""

    async def find_places(self) -> Places:
        """Learn it anew. Raises `EngineUnavailable`."""

    def follow(self, leave: Callable[[str], None]) -> None:
        """Have `leave` called, with the reason, when whoever is at a primary has to go elsewhere."""

    def watch(self, look: Callable[[], None]) -> None:
        """Have `look` called when places have been learnt anew, which happens every now and then, too."""


class Distrust:
    """Servers that were silent although something was published: they are left alone for a while."""

    def __init__(self) -> None:
        self._until: dict[Address, float] = {}

    def add(self, address: Address) -> None:
        """This is one."""
        self._until[address] = asyncio.get_running_loop().time() + DISTRUST_SECONDS

    def others(self, addresses: Iterable[Address]) -> list[Address]:
        """Those that are not."""
        now = asyncio.get_running_loop().time()
        return [each for each in addresses if self._until.get(each, 0.0) <= now]


class AtPrimary:
    """A connection to a primary: where there are several, to another one each time, as the last may not be well."""

    def __init__(self, place: Place) -> None:
        self.target = place.target
        self.execute = place.execute
        self.follow = place.follow
        self._place = place
        self._last: Address | None = None

    async def open(self) -> ListeningConnection:
        """See `Source.open`."""
        places = await self._place.find_places()
        others = tuple(address for address in places.primaries if address != self._last)
        self._last = random.choice(others or places.primaries or (None,))
        return await _open_at_primary(self._last, self.target, self.target.login)

    def distrust(self, address: Address) -> None:
        """See `Source.distrust`. There is nothing else to trust."""

    async def close(self) -> None:
        """See `Source.close`. It stays where it is sent."""


class AtReplica:
    """A connection to a replica, so that the primary has less to send; to a primary where no replica can be had.

    Leaves a server that is no replica any more, and a primary when there is a replica again, but not before a
    connection to a better place is open. Probes are published at the primary and come by way of the replica.
    """

    def __init__(self, place: Place) -> None:
        self.target = place.target
        self.execute = place.execute
        self._place = place
        self._leave: Callable[[str], None] = _stay
        self._at: Address | None = None
        self._has_replica = True
        self._distrust = Distrust()
        self._better: ListeningConnection | None = None
        self._moving: asyncio.Task[None] | None = None

    async def open(self) -> ListeningConnection:
        """See `Source.open`."""
        connection, self._better = self._better, None
        if connection is None or connection.lost.done():
            places = await self._place.find_places()
            connection = await self._open_at_replica(places) or await self._open_at_primary(places)
        self._at = connection.address
        return connection

    def follow(self, leave: Callable[[str], None]) -> None:
        """See `Source.follow`."""
        self._leave = leave
        self._place.watch(self._look)

    async def close(self) -> None:
        """See `Source.close`."""
        self._leave = _stay
        if self._moving is not None:
            self._moving.cancel()
            await asyncio.gather(self._moving, return_exceptions=True)
        if self._better is not None:
            await self._better.wait_closed()

    def distrust(self, address: Address) -> None:
        """See `Source.distrust`."""
        self._distrust.add(address)

    async def _open_at_primary(self, places: Places) -> ListeningConnection:
        address = random.choice(places.primaries or (None,))
        return await _open_at_primary(address, self.target, self._place.replica_login)  # it may become a replica

    async def _open_at_replica(self, places: Places) -> ListeningConnection | None:
        connection = await open_at_replica(self._distrust.others(places.replicas), self._place.replica_login)
        if connection is None and self._has_replica:
            log.warn("no replica of Redis can be heard, so a primary is", shard=self.target)
        self._has_replica = connection is not None
        return connection

    def _look(self) -> None:
        places = self._place.places
        is_right = self._at is None or not places.primaries or self._at in places.replicas
        if not is_right and self._moving is None and self._leave is not _stay:
            self._moving = asyncio.get_running_loop().create_task(self._move())

    async def _move(self) -> None:
        """To a better place, if there is one."""
        try:
            places = self._place.places
            better = await self._open_at_replica(places)
            if better is None and self._at not in places.primaries:
                better = await self._open_at_primary(places)
            if better is not None:
                if self._better is not None:
                    self._better.close()
                self._better = better
                self._leave(f"{better.address} is a better place than {self._at}")
        except EngineUnavailable as error:
            log.warn("there is no better place for PUB/SUB", shard=self.target, error=error)
        finally:
            self._moving = None


async def open_at_replica(addresses: Sequence[Address], login: Login) -> ListeningConnection | None:
    """A connection to the first that answers, of the replicas that are in touch with their primary; None if none is."""
    loop = asyncio.get_running_loop()
    waiting = {loop.create_task(_open_if_replica(each, login)) for each in random.sample(addresses, len(addresses))}
    opened: list[ListeningConnection] = []
    try:
        while waiting and not opened:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                with suppress(EngineUnavailable):  # another one will do
                    opened.append(task.result())
    finally:
        for task in waiting:
            task.cancel()
        late = await asyncio.gather(*waiting, return_exceptions=True)
        spare = [*opened[1:], *(each for each in late if isinstance(each, ListeningConnection))]
        for connection in spare:
            connection.close()
    return opened[0] if opened else None


async def _open_if_replica(address: Address, login: Login) -> ListeningConnection:
    """Raises `EngineUnavailable` when it cannot be reached, or is not a replica that hears its primary. Who may not ask
    has to believe it."""
    connection = await connect(address, login, ListeningConnection)
    try:
        kind, *rest = await connection.execute(("ROLE",))
        if kind != b"slave" or rest[2] != b"connected":
            raise EngineUnavailable(f"{address} is not a replica in touch with its primary")
    except CommandRefused:
        pass
    except BaseException:
        connection.close()
        raise
    return connection


async def _open_at_primary(address: Address | None, target: Target, login: Login) -> ListeningConnection:
    if address is None:
        raise EngineUnavailable(f"Redis at {target} has no primary now")
    return await connect(address, login, ListeningConnection)


def _stay(_why: str) -> None:
    """What is done while nobody listens."""
