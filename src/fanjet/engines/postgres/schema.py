"""The controller's objects in the database (07 §18.2, §18.3)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fanjet.engines.interfaces import EngineUnavailable

from .database import QueryError
from .partitions import ALREADY_EXISTS

if TYPE_CHECKING:
    from .database import Database
    from .partitions import Partitions

SCHEMA_VERSION: Final = 1

_SCRIPTS: Final = Path(__file__).with_name("sql")
_MISSING_TABLE: Final = "42P01"
_TRANSIENT: Final = ("40P01", "XX000", *ALREADY_EXISTS)
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('PREFIX_controller_schema'));\n"
"""Serialises nodes that start together, because concurrent creation of one object fails in PostgreSQL. Failures are
retried nevertheless, because other implementations do not take this lock."""
_ATTEMPTS: Final = 3
_ATTEMPT_DELAY: Final = 0.2


class Names:
    """Names of the database objects."""

    def __init__(self, table_prefix: str) -> None:
        self.prefix = table_prefix.rstrip("_") + "_"
        self.messages = f"{self.prefix}controller_messages"
        self.shard_lock = f"{self.prefix}controller_shard_lock"
        self.schema_version = f"{self.prefix}controller_schema_version"
        self.publish = f"{self.prefix}controller_publish"
        self.notifications = f"{self.prefix}controller_notify"


class Schema:
    """Creates missing objects; several nodes may do so concurrently."""

    def __init__(self, database: Database, names: Names, partitions: Partitions, shards: int) -> None:
        self._database = database
        self._names = names
        self._partitions = partitions
        self._shards = shards

    async def prepare(self) -> None:
        """Create or check the objects.

        Raises `EngineUnavailable`, also when they belong to a newer version.
        """
        version = await self._version()
        if version > SCHEMA_VERSION:
            raise EngineUnavailable(
                f"postgres-controller: DB schema_version is {version} but this version supports only up to "
                f"{SCHEMA_VERSION}: downgrade not supported"
            )
        is_complete = version == SCHEMA_VERSION and await self._exists(self._names.messages)
        if not is_complete:
            await self._run("controller_tables")
            await self._run("controller_publish")
        await self._check_shape()
        await self._sync_shard_locks()
        await self._partitions.create()
        if not is_complete:
            await self._set_version()

    async def _version(self) -> int:
        """The schema version in the database; 0 if there is none."""
        try:
            rows = await self._database.fetch(f"SELECT schema_version FROM {self._names.schema_version} WHERE id = 1")
        except QueryError as error:
            if error.state == _MISSING_TABLE:
                return 0
            raise
        return rows[0]["schema_version"] if rows else 0

    async def _set_version(self) -> None:
        await self._database.fetch(
            f"INSERT INTO {self._names.schema_version} (id, schema_version) VALUES (1, $1) "
            "ON CONFLICT (id) DO UPDATE SET schema_version = EXCLUDED.schema_version",
            SCHEMA_VERSION,
        )

    async def _exists(self, table: str) -> bool:
        rows = await self._database.fetch("SELECT to_regclass($1) IS NOT NULL AS present", table)
        return bool(rows[0]["present"])

    async def _run(self, name: str) -> None:
        script = _LOCK + (_SCRIPTS / f"{name}.sql").read_text("utf-8")
        script = script.replace("PREFIX_", self._names.prefix)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await self._database.run(script)
            except QueryError as error:
                if error.state not in _TRANSIENT or attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(_ATTEMPT_DELAY)
            else:
                return

    async def _check_shape(self) -> None:
        names = self._names
        rows = await self._database.fetch(
            "SELECT FROM pg_partitioned_table WHERE partrelid = to_regclass($1)", names.messages
        )
        if not rows:
            raise EngineUnavailable(
                f"postgres controller: {names.messages} exists but is not partitioned; drop the existing tables: "
                f"DROP TABLE IF EXISTS {names.messages}, {names.shard_lock}, {names.schema_version} CASCADE"
            )

    async def _sync_shard_locks(self) -> None:
        """Make one lock row per shard, without which its messages would not be ordered."""
        table = self._names.shard_lock
        await self._database.fetch(
            f"INSERT INTO {table} (shard_id) SELECT generate_series(0, $1::INTEGER - 1) ON CONFLICT DO NOTHING",
            self._shards,
        )
        await self._database.fetch(f"DELETE FROM {table} WHERE shard_id >= $1", self._shards)
