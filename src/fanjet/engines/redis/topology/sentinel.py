"""A primary that Sentinels know (07 §4.3)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from ..connections.address import Address
from ..connections.command_connection import Link
from ..connections.connection import Connection, connect
from ..connections.errors import CommandRefused
from ..pubsub.connection import ListeningConnection
from ..pubsub.connectors import Places
from ..pubsub.group import Ear
from .replicas import Readers, Replica, read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..connections.address import Target
    from ..connections.connection import Command, Reading

log = get_logger(__name__)

ASK_SECONDS: Final = 5.0
"""How often Sentinels are asked anew: what they announce may be missed."""
_ILL: Final = frozenset((b"s_down", b"o_down", b"disconnected"))


class SentinelShard:
    """Follows the primary: by what a Sentinel announces, by asking again, and when the primary refuses to write. Knows
    the replicas that Sentinels think well, if they may be used."""

    is_cluster = False

    def __init__(self, target: Target) -> None:
        self.target = target
        self.places = Places(())
        self._sentinels = list(target.seeds)
        self._link = Link(self._find_primary, target.login, self._ask_soon, self._is_primary)
        self.replica_login = target.login
        self.publish = self.execute
        self._readers = Readers(self.replica_login, self._ask_soon)
        self._reading: tuple[Replica, ...] = ()
        self._asked = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._followers: list[Callable[[str], None]] = []
        self._lookers: list[Callable[[], None]] = []

    async def start(self) -> None:
        """See `Shard.start`."""
        await self._link.connection()
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        """See `Shard.close`."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._link.close()
        await self._readers.close()

    async def execute(self, command: Command, key: bytes | str, reading: Reading | None = None) -> Any:
        """See `Shard.execute`."""
        try:
            return await self._link.execute(command, key, reading)
        except CommandRefused as error:
            if error.is_of_replica:
                self._ask_soon()
            raise

    def read(self, command: Command, key: bytes | str) -> Awaitable[Any]:
        """See `Shard.read`."""
        return read(self._reading, command, lambda: self.execute(command, key))

    async def find_places(self) -> Places:
        """See `Place.find_places`. Asks the Sentinels; while none of them answers, things are where they were."""
        try:
            return await self._ask_all()
        except EngineUnavailable:
            if self.places.primaries:
                return self.places
            raise

    async def _ask_all(self) -> Places:
        errors = []
        for sentinel in list(self._sentinels):
            try:
                places = await self._ask(sentinel)
            except EngineUnavailable as error:
                errors.append(str(error))
                continue
            self._sentinels.remove(sentinel)  # the one that answered is asked first the next time
            self._sentinels.insert(0, sentinel)
            self._take(places)
            return places
        raise EngineUnavailable("; ".join(errors))

    @property
    def is_lost(self) -> bool:
        """See `Shard.is_lost`."""
        return self._link.is_lost

    def follow(self, leave: Callable[[str], None]) -> None:
        """See `Place.follow`."""
        self._followers.append(leave)

    def watch(self, look: Callable[[], None]) -> None:
        """See `Place.watch`."""
        self._lookers.append(look)

    def _ask_soon(self) -> None:
        self._asked.set()

    async def _watch(self) -> None:
        """Ask in time, for ever."""
        announcements = asyncio.get_running_loop().create_task(self._listen())
        try:
            while True:
                try:
                    async with asyncio.timeout(ASK_SECONDS):
                        await self._asked.wait()
                except TimeoutError:
                    pass
                self._asked.clear()
                await self._follow()
                await asyncio.sleep(0.25)
        finally:
            announcements.cancel()

    async def _follow(self) -> None:
        try:
            await self._ask_all()
        except EngineUnavailable as error:
            log.error("no Sentinel tells where the primary is", error=error)

    async def _find_primary(self) -> Address:
        return (await self.find_places()).primaries[0]

    def _take(self, now: Places) -> None:
        """Whoever has found it out: all connections have to leave the primary before, which may take writes for a while
        that nobody will ever see."""
        before, self.places = self.places, now
        self._readers.know(now.replicas)
        self._reading = self._readers.of(now.replicas)
        if before.primaries and now.primaries != before.primaries:
            log.warn("another Redis server is the primary now", before=before.primaries[0], now=now.primaries[0])
            for leave in (self._link.reset, *self._followers):
                leave("it is not the primary any more")
        for look in self._lookers:
            look()

    def _is_primary(self, address: Address) -> bool:
        return address in self.places.primaries

    async def _ask(self, sentinel: Address) -> Places:
        name = self.target.master_name
        connection = await connect(sentinel, self.target.sentinel_login, Connection)
        try:
            answer = await connection.execute(("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name))
            if answer is None:
                raise EngineUnavailable(f"the Sentinel at {sentinel} knows no {name!r}")
            primary = Address(answer[0].decode(), int(answer[1]))
            if not self.target.with_replicas:
                return Places((primary,))
            answer = await connection.execute(("SENTINEL", "REPLICAS", name))
        finally:
            await connection.wait_closed()
        return Places((primary,), tuple(each for each in map(_replica_in, answer) if each not in (None, primary)))

    async def _listen(self) -> None:
        """Hear announcements of one Sentinel, another one when that is lost."""

        def take(_name: bytes, _payload: bytes) -> None:
            self._ask_soon()

        number = 0
        while True:
            sentinel = self._sentinels[number % len(self._sentinels)]
            number += 1
            try:
                login = self.target.sentinel_login
                connection = await connect(sentinel, login, ListeningConnection)
            except EngineUnavailable as error:
                log.warn("cannot listen to a Sentinel", error=error)
                await asyncio.sleep(1)
                continue
            try:
                connection.listen(take)
                await asyncio.shield(connection.ask([b"+switch-master"], Ear((), ""), subscribe=True).answer)
                await asyncio.wait([connection.lost])
            except EngineUnavailable as error:
                log.warn("cannot listen to a Sentinel", error=error)
            finally:
                await connection.wait_closed()
            self._ask_soon()
            await asyncio.sleep(1)


def _replica_in(answer: dict[bytes, bytes] | list[bytes]) -> Address | None:
    """Of what a Sentinel tells of a replica, in either version of the protocol: where it is, if both reach it: the
    Sentinel, and its primary."""
    replica = answer if isinstance(answer, dict) else dict(zip(answer[::2], answer[1::2], strict=True))
    if replica[b"master-link-status"] != b"ok" or _ILL.intersection(replica[b"flags"].split(b",")):
        return None
    return Address(replica[b"ip"].decode(), int(replica[b"port"]))
