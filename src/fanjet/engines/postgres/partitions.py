"""Tables in one partition a day, made ahead of time and dropped when they are old (07 §18.2, 08c §6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from .database import QueryRefused

if TYPE_CHECKING:
    from .database import Database

log = get_logger(__name__)

MADE_MEANWHILE: Final = ("42P07", "42710", "23505")
"""What the database says of an object that somebody else has just made."""

_CHILDREN: Final = """
    SELECT child.relname AS name
    FROM pg_inherits AS link
    JOIN pg_class AS child ON child.oid = link.inhrelid
    JOIN pg_class AS parent ON parent.oid = link.inhparent
    JOIN pg_namespace AS home ON home.oid = child.relnamespace
    WHERE parent.relname = $1 AND home.nspname = current_schema()
"""


class Partitions:
    """The days of one table. `keep_days` 0 or less keeps all for ever."""

    def __init__(self, database: Database, table: str, *, ahead_days: int, keep_days: int) -> None:
        self._database = database
        self._table = table
        self._ahead_days = ahead_days
        self._keep_days = keep_days

    async def make(self) -> None:
        """Make those of today and of the days ahead. Raises `EngineUnavailable`."""
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        for days in range(self._ahead_days + 1):
            day = today + timedelta(days=days)
            bounds = f"FROM ('{_moment(day)}') TO ('{_moment(day + timedelta(days=1))}')"
            name = f"{self._table}_{day:%Y_%m_%d}"
            try:
                await self._database.run(
                    f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {self._table} FOR VALUES {bounds}"
                )
            except QueryRefused as refusal:
                if refusal.state not in MADE_MEANWHILE:
                    raise

    async def drop_old(self) -> None:
        """Drop those whose day is over for long enough; what cannot be dropped is logged. Others are left alone whose
        name does not end in a date. Raises `EngineUnavailable` when they cannot be listed."""
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


def _moment(day: datetime) -> str:
    """The zone is told: otherwise the session's would count."""
    return f"{day:%Y-%m-%d} 00:00:00+00"
