"""Partitions grouped by node: those that are on one Redis server share a PUB/SUB connection (07 §22.4)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from ..connections.connection import connect
from .connection import ListeningConnection
from .connectors import Distrust, open_at_replica
from .supervisor import outage_of, outages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..connections.address import Address, Login
    from ..topology.cluster import ClusterShard
    from .group import Ear
    from .supervisor import Listener, Source

    Listen = Callable[[Source, Callable[[Ear], None]], Listener]

log = get_logger(__name__)


class Grouping:
    """Gives each ear to the listener of the server where its partition is, and again when that changes.

    Topology is learnt when a server ends subscriptions, when a connection is lost, and every now and then. Ears whose
    partitions have not moved go on hearing. `at_replicas`: at one replica of each primary, where there is one.
    """

    def __init__(
        self, shard: ClusterShard, purpose: str, ears: Sequence[Ear], listen: Listen, *, at_replicas: bool
    ) -> None:
        """`listen` makes a listener without ears for a source; it tells the ears that it has lost."""
        self._shard = shard
        self._purpose = purpose
        self._ears = ears
        self._listen = listen
        self._at_replicas = at_replicas
        self._servers: dict[Address, _Server] = {}
        self._listeners: dict[Address, Listener] = {}
        self._whereabouts: dict[Ear, Address] = {}
        self._chosen: dict[Address, Address] = {}
        self._distrust = Distrust()
        self._opened: dict[Address, ListeningConnection] = {}
        self._woken = asyncio.Event()
        self._running: asyncio.Task[NoReturn] | None = None

    async def start(self) -> None:
        """Begin; returns after the first attempt with every server, whatever came of it."""
        self._shard.watch(self._woken.set)
        await self._arrange()
        await asyncio.gather(*(listener.tried() for listener in self._listeners.values()))
        self._running = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Hear no more."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        opened = (connection.wait_closed() for connection in self._opened.values())
        await asyncio.gather(*opened, *(listener.close() for listener in self._listeners.values()))

    @property
    def silence(self) -> float:
        """See `Listener.silence`."""
        return max((listener.silence for listener in self._listeners.values()), default=0.0)

    @property
    def outage(self) -> str:
        """See `Listener.outage`."""
        if all(ear.is_heard for ear in self._ears):
            return outages_of(self._listeners.values())
        return outage_of(self._purpose, self._shard.target)

    # ------------------------------------------------------------------------------------------ inside

    async def _run(self) -> NoReturn:
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._arrange()
            except Exception:
                log.exception("cannot arrange PUB/SUB connections", shard=self._shard.target)

    async def _arrange(self) -> None:
        """Have every ear where its partition is, as far as is known, and look again for what is nowhere."""
        wanted: dict[Address, list[Ear]] = {}
        for ear in self._ears:
            for primary in self._shard.places_of(ear.probe).primaries:
                wanted.setdefault(primary, []).append(ear)
        places = await asyncio.gather(*(self._place_for(primary, ears[0]) for primary, ears in wanted.items()))
        for ears, place in zip(wanted.values(), places, strict=True):
            await self._gather(ears, place)
        self._chosen = {primary: place for primary, place in self._chosen.items() if primary in wanted}
        for address, listener in list(self._listeners.items()):
            if not listener.ears:
                await self._leave(address)
        if len(self._whereabouts) < len(self._ears):
            self._shard.look_soon()

    async def _place_for(self, primary: Address, ear: Ear) -> Address:
        """Where the partitions of a primary are to be heard."""
        if not self._at_replicas:
            return primary
        replicas = self._distrust.others(self._shard.places_of(ear.probe).replicas)
        chosen = self._chosen.get(primary, primary)
        if chosen in replicas and chosen in self._servers and self._servers[chosen].is_reached:
            return chosen
        connection = await open_at_replica(replicas, self._shard.replica_login)
        if connection is None:
            if self._chosen.get(primary) != primary:
                log.warn("no replica of Redis can be heard, so its primary is", primary=primary)
            self._chosen[primary] = primary
            return primary
        address = connection.address
        if address in self._servers:
            self._servers[address].use(connection)
        else:
            self._opened[address] = connection
        self._chosen[primary] = address
        return address

    async def _gather(self, ears: list[Ear], place: Address) -> None:
        """Have these ears at one place. No message must come by two ways, so others are left before."""
        moving = [ear for ear in ears if self._whereabouts.get(ear) != place]
        if not moving:
            return
        former = {address for ear in moving if (address := self._whereabouts.pop(ear, None)) is not None}
        for address in former:
            listener = self._listeners[address]
            for ear in moving:
                if ear in listener.ears:
                    listener.give_up(ear)
            if not listener.ears:
                await self._leave(address)
        listener = self._listener_at(place)
        if former:
            log.info("partitions of Redis are heard elsewhere now", partitions=len(moving), address=place)
        for ear in moving:
            self._whereabouts[ear] = place
            listener.take_over(ear)

    def _listener_at(self, address: Address) -> Listener:
        listener = self._listeners.get(address)
        if listener is None:
            login = self._shard.replica_login if self._at_replicas else self._shard.target.login
            server = self._servers[address] = _Server(self._shard, address, login, self._distrust)
            if address in self._opened:
                server.use(self._opened.pop(address))
            listener = self._listeners[address] = self._listen(server, self._lose)
            listener.begin()
        return listener

    async def _leave(self, address: Address) -> None:
        del self._servers[address]
        await self._listeners.pop(address).close()

    def _lose(self, ear: Ear) -> None:
        """The partition of an ear is not where it was."""
        self._whereabouts.pop(ear, None)
        self._shard.look_soon()


class _Server:
    """One Redis server, as a source."""

    def __init__(self, shard: ClusterShard, address: Address, login: Login, distrust: Distrust) -> None:
        self.target = shard.target
        self.execute = shard.execute
        self.distrust = distrust.add
        self._login = login
        self.is_reached = True
        self._shard = shard
        self._address = address
        self._opened: ListeningConnection | None = None
        self._is_first = True

    def use(self, connection: ListeningConnection) -> None:
        """Here is a connection that is open already."""
        if self._opened is not None:
            self._opened.close()
        self._opened = connection

    async def open(self) -> ListeningConnection:
        """See `Source.open`. Its partitions may have gone elsewhere when that has to be done again."""
        if not self._is_first:
            self._shard.look_soon()
        self._is_first = False
        connection, self._opened = self._opened, None
        if connection is None or connection.lost.done():
            try:
                connection = await connect(self._address, self._login, ListeningConnection)
            except EngineUnavailable:
                self.is_reached = False
                raise
        self.is_reached = True
        return connection

    def follow(self, leave: Callable[[str], None]) -> None:
        """See `Source.follow`. Ears leave it, one by one."""

    async def close(self) -> None:
        """See `Source.close`."""
        if self._opened is not None:
            await self._opened.wait_closed()
