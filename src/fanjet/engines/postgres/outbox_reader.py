"""Continuous reader of a table to which rows are appended (07 §18.4)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from fanjet.engines.failure_log import log_failure
from fanjet.telemetry.logging import get_logger

from .database import notification_connection

if TYPE_CHECKING:
    from collections.abc import Callable

    import asyncpg

    from .database import Database
    from .dsn import Target

log = get_logger(__name__)

CHECK_SECONDS: Final = 10.0
"""Seconds without rows after which a reader checks whether its cursor is beyond the end of the table."""
FIRST_RECONNECT_DELAY: Final = 1.0
LONGEST_RECONNECT_DELAY: Final = 30.0


class Notifier:
    """Wakes the readers."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()

    def notify(self) -> None:
        """A row was added."""
        for event in self._waiting:
            event.set()

    def join(self) -> asyncio.Event:
        """An event set by every notification; the waiter clears it."""
        event = asyncio.Event()
        self._waiting.add(event)
        return event


class OutboxReader:
    """Reads the new rows of one shard, in the order of their ids.

    These are the rows that are added after `start`.

    `query` takes the last id read, the maximum number of rows, and the shard; `newest` takes the shard and returns the
    last id at the start. When the ids of a recreated or restored table are lower, reading continues at its end.
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
        notifier: Notifier,
        on_row: Callable[[asyncpg.Record], None],
    ) -> None:
        self._database = database
        self._shard = shard
        self._newest = newest
        self._query = query
        self._batch_size = batch_size
        self._poll_seconds = poll_seconds
        self._notified = notifier.join()
        self._on_row = on_row
        self._cursor = 0
        self._failing = False
        self._checked_at = 0.0
        self.received_at = 0.0
        """The event loop time of the last row."""

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt to read failed."""
        return self._failing

    async def start(self) -> None:
        """Find the last id; retries until that succeeds."""
        while True:
            try:
                self._cursor = await self._find_newest()
            except Exception as error:
                self._on_failure(error)
                await asyncio.sleep(self._poll_seconds)
            else:
                self.received_at = self._checked_at = asyncio.get_running_loop().time()
                return

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            self._notified.clear()  # before the query: rows added during it are read by the next one
            if not await self._read_batch():
                await self._wait()

    async def _find_newest(self) -> int:
        rows = await self._database.fetch(self._newest, self._shard)
        return int(rows[0]["id"])

    async def _read_batch(self) -> int:
        now = asyncio.get_running_loop().time()
        try:
            rows = await self._database.fetch(self._query, self._cursor, self._batch_size, self._shard)
            if not rows and now - max(self.received_at, self._checked_at) > CHECK_SECONDS:
                await self._check_cursor()
        except Exception as error:  # any error: the reader must not stop
            self._on_failure(error)
            return 0
        if self._failing:
            self._failing = False
            log.info("reading from PostgreSQL again", shard=self._shard)
        if rows:
            self.received_at = now
        for row in rows:
            self._cursor = row["id"]
            self._on_row(row)
        return len(rows)

    async def _check_cursor(self) -> None:
        self._checked_at = asyncio.get_running_loop().time()
        newest = await self._find_newest()
        if newest < self._cursor:
            log.warn(
                "table in PostgreSQL was recreated or restored", shard=self._shard, before=self._cursor, now=newest
            )
            self._cursor = newest

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self._notified.wait()
        except TimeoutError:
            pass

    def _on_failure(self, error: Exception) -> None:
        """Log once: every attempt fails until the database is back."""
        if not self._failing:
            self._failing = True
            log_failure(log, "error reading from PostgreSQL", error, shard=self._shard)


async def receive_notifications(target: Target, channel: str, notifier: Notifier) -> None:
    """Receive notifications until cancelled.

    They come over a separate connection, which is reopened after a loss.
    """
    delay = FIRST_RECONNECT_DELAY
    while True:
        try:
            async with notification_connection(target, channel, notifier.notify) as lost:
                delay = FIRST_RECONNECT_DELAY
                notifier.notify()  # for rows added while disconnected
                await lost.wait()
                log.warn("connection for PostgreSQL notifications lost", channel=channel)
        except Exception as error:
            log_failure(log, "error receiving PostgreSQL notifications", error, channel=channel)
        await asyncio.sleep(delay)
        delay = min(2 * delay, LONGEST_RECONNECT_DELAY)
