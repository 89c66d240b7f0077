"""Reading a table to which rows are added, as they come (07 §18.4)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from fanjet.engines.failure_log import log_failure
from fanjet.telemetry.logging import get_logger

from .database import listening

if TYPE_CHECKING:
    from collections.abc import Callable

    import asyncpg

    from .database import Database
    from .dsn import Target

log = get_logger(__name__)

CHECK_SECONDS: Final = 10.0
"""Silence after which a reader looks whether it has got ahead of the table."""
FIRST_RECONNECT_DELAY: Final = 1.0
LONGEST_RECONNECT_DELAY: Final = 30.0


class WakeUp:
    """Wakes all who wait."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()

    def notify(self) -> None:
        """Somebody has published."""
        for event in self._waiting:
            event.set()

    def join(self) -> asyncio.Event:
        """An event that is set by every notification, to be cleared by who waits for it."""
        event = asyncio.Event()
        self._waiting.add(event)
        return event


class Reader:
    """Reads the rows of one shard in the order of their ids, from those on that come after `start`.

    `query` takes the last id seen, how many rows at most, and the shard; `newest`, which takes the shard, finds the id
    to begin after. A table that has been made anew, or restored, counts from less than that: it is read from its end.
    """

    def __init__(
        self,
        database: Database,
        shard: int,
        *,
        newest: str,
        query: str,
        batch_size: int,
        poll_seconds: float,
        wake_up: WakeUp,
        take: Callable[[asyncpg.Record], None],
    ) -> None:
        self._database = database
        self._shard = shard
        self._newest = newest
        self._query = query
        self._batch_size = batch_size
        self._poll_seconds = poll_seconds
        self._notified = wake_up.join()
        self._take = take
        self._cursor = 0
        self._failing = False
        self._checked_at = 0.0
        self.heard_at = 0.0
        """When the last row came, by the time of the loop."""

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt to read failed."""
        return self._failing

    async def start(self) -> None:
        """Find where to begin, however often that fails."""
        while True:
            try:
                self._cursor = await self._find_newest()
            except Exception as error:
                self._failed(error)
                await asyncio.sleep(self._poll_seconds)
            else:
                self.heard_at = self._checked_at = asyncio.get_running_loop().time()
                return

    async def run(self) -> None:
        """Read for ever."""
        while True:
            self._notified.clear()  # before the query: what is published during it is found by the next one
            if not await self._read_batch():
                await self._wait()

    async def _find_newest(self) -> int:
        rows = await self._database.fetch(self._newest, self._shard)
        return int(rows[0]["id"])

    async def _read_batch(self) -> int:
        now = asyncio.get_running_loop().time()
        try:
            rows = await self._database.fetch(self._query, self._cursor, self._batch_size, self._shard)
            if not rows and now - max(self.heard_at, self._checked_at) > CHECK_SECONDS:
                await self._check_cursor()
        except Exception as error:  # whatever it is: a node that stops reading is deaf
            self._failed(error)
            return 0
        if self._failing:
            self._failing = False
            log.info("reading from PostgreSQL again", shard=self._shard)
        if rows:
            self.heard_at = now
        for row in rows:
            self._cursor = row["id"]
            self._take(row)
        return len(rows)

    async def _check_cursor(self) -> None:
        self._checked_at = asyncio.get_running_loop().time()
        newest = await self._find_newest()
        if newest < self._cursor:
            log.warn("table in PostgreSQL begins anew", shard=self._shard, before=self._cursor, now=newest)
            self._cursor = newest

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self._notified.wait()
        except TimeoutError:
            pass

    def _failed(self, error: Exception) -> None:
        """Told once: until the database is back, every attempt fails."""
        if not self._failing:
            self._failing = True
            log_failure(log, "error reading from PostgreSQL", error, shard=self._shard)


async def listen(target: Target, channel: str, wake_up: WakeUp) -> None:
    """Hear notifications for ever, over a connection of its own."""
    delay = FIRST_RECONNECT_DELAY
    while True:
        try:
            async with listening(target, channel, wake_up.notify) as lost:
                delay = FIRST_RECONNECT_DELAY
                wake_up.notify()  # for what came while nobody listened
                await lost.wait()
                log.warn("connection for PostgreSQL notifications lost", channel=channel)
        except Exception as error:
            log_failure(log, "error listening for PostgreSQL notifications", error, channel=channel)
        await asyncio.sleep(delay)
        delay = min(2 * delay, LONGEST_RECONNECT_DELAY)
