"""A primary that Sentinels know (07 §4.3)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from .address import Address
from .connection import Connection, connect
from .errors import CommandRefused
from .link import Link
from .listening import ListeningConnection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .address import Target
    from .connection import Command

log = get_logger(__name__)

ASK_SECONDS: Final = 5.0
"""How often Sentinels are asked anew: what they announce may be missed."""


class SentinelShard:
    """Follows the primary: by what a Sentinel announces, by asking again, and when the primary refuses to write."""

    is_cluster = False

    def __init__(self, target: Target) -> None:
        self.target = target
        self._primary: Address | None = None
        self._sentinels = list(target.seeds)
        self._link = Link(self.listening_address, target.login, self._ask_soon, self._is_primary)
        self._asked = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._followers: list[Callable[[str], None]] = []

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

    def execute(self, command: Command, key: bytes | str) -> Awaitable[Any]:
        """See `Shard.execute`."""
        return self._execute(command)

    async def listening_address(self) -> Address:
        """See `Shard.listening_address`. Asks the Sentinels."""
        return await self._find_primary()

    @property
    def is_lost(self) -> bool:
        """See `Shard.is_lost`."""
        return self._link.is_lost

    def follow(self, leave: Callable[[str], None]) -> None:
        """See `Shard.follow`."""
        self._followers.append(leave)

    async def _execute(self, command: Command) -> Any:
        try:
            return await self._link.execute(command)
        except CommandRefused as error:
            if error.code == "READONLY":
                self._ask_soon()
            raise

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
                await self._follow_primary()
                await asyncio.sleep(0.25)
        finally:
            announcements.cancel()

    async def _follow_primary(self) -> None:
        try:
            await self._find_primary()
        except EngineUnavailable as error:
            log.error("no Sentinel tells where the primary is", error=error)

    async def _find_primary(self) -> Address:
        """Ask one Sentinel after the other; the one that answered is asked first the next time."""
        errors = []
        for sentinel in list(self._sentinels):
            try:
                primary = await self._ask(sentinel)
            except EngineUnavailable as error:
                errors.append(str(error))
                continue
            self._sentinels.remove(sentinel)
            self._sentinels.insert(0, sentinel)
            self._take_primary(primary)
            return primary
        raise EngineUnavailable("; ".join(errors))

    def _take_primary(self, now: Address) -> None:
        """Whoever has found it out: all connections have to leave the one before, which may take writes for a while
        that nobody will ever see."""
        before, self._primary = self._primary, now
        if before is not None and now != before:
            log.warn("another Redis server is the primary now", before=before, now=now)
            for leave in (self._link.reset, *self._followers):
                leave("it is not the primary any more")

    def _is_primary(self, address: Address) -> bool:
        return address == self._primary

    async def _ask(self, sentinel: Address) -> Address:
        connection = await connect(sentinel, self.target.sentinel_login, Connection)
        try:
            answer = await connection.execute(("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.target.master_name))
        finally:
            await connection.wait_closed()
        if answer is None:
            raise EngineUnavailable(f"the Sentinel at {sentinel} knows no {self.target.master_name!r}")
        return Address(answer[0].decode(), int(answer[1]))

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
                await connection.subscribe(b"+switch-master")
                await asyncio.wait([connection.lost])
            except EngineUnavailable as error:
                log.warn("cannot listen to a Sentinel", error=error)
            finally:
                await connection.wait_closed()
            self._ask_soon()
            await asyncio.sleep(1)
