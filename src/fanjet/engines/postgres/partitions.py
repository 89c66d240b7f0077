"""Daily table partitions, created in advance and dropped when old.

Specified in 07 §18.2 and 08c §6.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from .database import QueryError

if TYPE_CHECKING:
    from .database import Database

log = get_logger(__name__)

ALREADY_EXISTS: Final = ("42P07", "42710", "23505")
"""SQLSTATEs for an object that another node has just created."""

_CHILDREN: Final = """
    SELECT child.relname AS name
    FROM pg_inherits AS link
    JOIN pg_class AS child ON child.oid = link.inhrelid
    JOIN pg_class AS parent ON parent.oid = link.inhparent
    JOIN pg_namespace AS home ON home.oid = child.relnamespace
    WHERE parent.relname = $1 AND home.nspname = current_schema()
"""


class Partitions:
    """The daily partitions of one table. `keep_days` of 0 or less keeps all of them."""

    def __init__(self, database: Database, table: str, *, ahead_days: int, keep_days: int) -> None:
        self._database = database
        self._table = table
        self._ahead_days = ahead_days
        self._keep_days = keep_days

    async def create(self) -> None:
        """Create the partitions of today and the days ahead. Raises `EngineUnavailable`."""
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        for days in range(self._ahead_days + 1):
            day = today + timedelta(days=days)
            bounds = f"FROM ('{_timestamp(day)}') TO ('{_timestamp(day + timedelta(days=1))}')"
            name = f"{self._table}_{day:%Y_%m_%d}"
            try:
                await self._database.run(
                    f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {self._table} FOR VALUES {bounds}"
                )
            except QueryError as error:
                if error.state not in ALREADY_EXISTS:
                    raise

    async def drop_old(self) -> None:
        """Drop partitions older than `keep_days`; failures are logged.

        Partitions whose name does not end in a date are kept. Raises `EngineUnavailable` when the partitions cannot be
        listed.
        """
        if self._keep_days <= 0:
            return
        oldest = datetime.now(UTC) - timedelta(days=self._keep_days)
        for row in await self._database.fetch(_CHILDREN, self._table):
            name: str = row["name"]
            day = self._day(name)
            if day is not None and day < oldest:
                try:
                    await self._database.run(f'DROP TABLE IF EXISTS "{name}"')
                except EngineUnavailable as error:
                    log.error("error dropping old partition", partition=name, error=error)

    def _day(self, name: str) -> datetime | None:
        try:
            return datetime.strptime(name.removeprefix(self._table), "_%Y_%m_%d").replace(tzinfo=UTC)
        except ValueError:
            return None


def _timestamp(day: datetime) -> str:
    """With a time zone, because that of the session would apply otherwise."""
    return f"{day:%Y-%m-%d} 00:00:00+00"
