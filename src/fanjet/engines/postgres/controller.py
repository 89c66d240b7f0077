"""Control messages in a table that every node reads (07 §18)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from fanjet.engines.failure_log import log_failure
from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from .database import Database
from .dsn import target
from .outbox_reader import Notifier, OutboxReader, receive_notifications
from .partitions import Partitions
from .schema import Names, Schema

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    import asyncpg

    from fanjet.config.tree.postgres import PostgresController as Settings

log = get_logger(__name__)

SILENCE_SECONDS: Final = 20.0
"""Seconds without a message that count as an outage. A node receives at least its own announcement every 3 s."""


class PostgresController:
    """Messages are rows; every node reads all of them and skips those for other nodes."""

    def __init__(self, config: Settings, uid: str) -> None:
        """Raises `ConfigError`, `TLSError`."""
        self._config = config
        self._uid = uid
        self._names = Names(config.table_prefix)
        self._target = target(config.dsn, config.tls, "controller.postgres.dsn")
        self._notify_target = (
            target(config.notify_dsn, config.tls, "controller.postgres.notify_dsn")
            if config.notify_dsn
            else self._target
        )
        self._database = Database(self._target, config.pool_size)
        self._partitions = Partitions(
            self._database,
            self._names.messages,
            ahead_days=config.partition_lookahead_days if config.partition_lookahead_days > 0 else 2,
            keep_days=max(1, config.partition_retention_days),
        )
        self._shards = max(1, config.num_shards)
        self._publish_query = f"SELECT {self._names.publish}($1, $2, $3)"
        self._readers: list[OutboxReader] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def outage(self) -> str:
        """See `RemoteEngine`."""
        if any(reader.is_failing for reader in self._readers):
            return "PostgreSQL"
        limit = SILENCE_SECONDS if self._config.use_notify else SILENCE_SECONDS + self._config.poll_interval
        return "messages of PostgreSQL" if self.silence > limit else ""

    @property
    def silence(self) -> float:
        """See `ProbedEngine`."""
        now = asyncio.get_running_loop().time()
        return now - max((reader.received_at for reader in self._readers), default=now)

    async def start(self, on_control: Callable[[bytes], None]) -> None:
        """See `Controller.start`."""
        try:
            await self._database.start()
            if not self._config.skip_schema_init:
                await Schema(self._database, self._names, self._partitions, self._shards).prepare()
        except EngineUnavailable as error:
            await self._database.close()
            raise EngineUnavailable(f"error creating controller: {error}") from error
        notifier = Notifier()
        readers = [self._reader(shard, notifier, on_control) for shard in range(self._shards)]
        await asyncio.gather(*(reader.start() for reader in readers))
        self._readers = readers
        for reader in readers:
            self._run(reader.run())
        if self._config.use_notify:
            self._run(receive_notifications(self._notify_target, self._names.notifications, notifier))
        self._run(self._maintain_partitions())

    async def publish_control(self, message: bytes, node: str = "") -> None:
        """See `Controller.publish_control`."""
        await self._database.fetch(self._publish_query, message, node, self._shards)

    async def close(self) -> None:
        """See `Controller.close`."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._database.close()

    def _reader(self, shard: int, notifier: Notifier, on_control: Callable[[bytes], None]) -> OutboxReader:
        def on_row(row: asyncpg.Record) -> None:
            if row["node_id"] in ("", self._uid):
                try:
                    on_control(row["data"])
                except Exception:
                    log.exception("error handling control message")

        table = self._names.messages
        return OutboxReader(
            self._database,
            shard,
            newest=f"SELECT COALESCE(MAX(id), 0) AS id FROM {table} WHERE shard_id = $1",
            query=f"SELECT id, node_id, data FROM {table} WHERE id > $1 AND shard_id = $3 ORDER BY id LIMIT $2",
            batch_size=self._config.batch_size,
            poll_seconds=self._config.poll_interval,
            notifier=notifier,
            on_row=on_row,
        )

    async def _maintain_partitions(self) -> None:
        while True:
            await asyncio.sleep(self._config.partition_cleanup_interval)
            try:
                await self._partitions.create()
                await self._partitions.drop_old()
            except Exception as error:
                log_failure(log, "error maintaining partitions", error, table=self._names.messages)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))
