"""The controller on a real PostgreSQL (07 §18, checks 43 to 45)."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from fanjet.config.tree.postgres import PostgresController as Settings
from fanjet.config.tree.tls import Tls
from fanjet.engines.interfaces import EngineUnavailable
from fanjet.engines.postgres import PostgresController
from fanjet.net.aio import run_eagerly
from tests.support.certificates import issue
from tests.support.postgres import Postgres
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

NEVER = 3600.0
"""A poll interval that only notifications can cut short."""
PATIENCE = 10


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def settings(postgres: Postgres) -> dict[str, Any]:
    """Settings of a cluster for one test."""
    return {"dsn": postgres.dsn, "table_prefix": f"t{uuid.uuid4().hex[:12]}"}


@pytest.fixture
async def sql(postgres: Postgres) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(postgres.dsn)
    yield connection
    await connection.close()


class ReceivedMessages:
    """Messages received by a node, in order."""

    def __init__(self, controller: PostgresController) -> None:
        self.controller = controller
        self._messages: asyncio.Queue[bytes] = asyncio.Queue()
        self.put = self._messages.put_nowait

    async def next(self) -> bytes:
        return await asyncio.wait_for(self._messages.get(), PATIENCE)


async def published(node: ReceivedMessages, message: bytes) -> bool:
    try:
        await node.controller.publish_control(message)
    except EngineUnavailable:
        return False
    return True


@asynccontextmanager
async def node(settings: dict[str, Any], uid: str, **more: Any) -> AsyncIterator[ReceivedMessages]:
    received = ReceivedMessages(PostgresController(Settings(**settings | more), uid))
    await received.controller.start(received.put)
    try:
        yield received
    finally:
        await received.controller.close()


@pytest.mark.parametrize("more", [{}, {"num_shards": 3}, {"use_notify": True, "poll_interval": NEVER}])
async def test_messages_reach_all_nodes_or_one(settings: dict[str, Any], more: dict[str, Any]) -> None:
    async with node(settings, "a", **more) as a, node(settings, "b", **more) as b:
        for number in range(5):
            await a.controller.publish_control(b"to all %d" % number)
            assert await a.next() == await b.next() == b"to all %d" % number
        await a.controller.publish_control(b"to a", "a")
        await a.controller.publish_control(b"to b", "b")
        await a.controller.publish_control(b"last")
        assert {await a.next(), await a.next()} == {b"to a", b"last"}
        assert {await b.next(), await b.next()} == {b"to b", b"last"}


async def test_one_notification_wakes_the_readers_of_all_shards(settings: dict[str, Any]) -> None:
    async with node(settings, "a", num_shards=4, use_notify=True, poll_interval=NEVER) as a:
        for number in range(12):
            await a.controller.publish_control(b"%d" % number)
        assert {await a.next() for _ in range(12)} == {b"%d" % number for number in range(12)}


async def test_earlier_messages_are_not_received(settings: dict[str, Any]) -> None:
    async with node(settings, "a") as a:
        await a.controller.publish_control(b"before")
        assert await a.next() == b"before"
        async with node(settings, "b") as b:
            await a.controller.publish_control(b"after")
            assert await b.next() == b"after"


async def test_a_failing_handler_does_not_block_other_messages(
    settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    controller = PostgresController(Settings(**settings), "a")
    received = ReceivedMessages(controller)

    def take(message: bytes) -> None:
        if message == b"bad":
            raise ValueError("bad")
        received.put(message)

    await controller.start(take)
    await controller.publish_control(b"bad")
    await controller.publish_control(b"good")
    assert await received.next() == b"good"
    assert "error handling control message" in caplog.text
    await controller.close()


async def test_publishing_needs_no_current_task(settings: dict[str, Any]) -> None:
    async with node(settings, "a") as a:
        published: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(
            lambda: run_eagerly(a.controller.publish_control(b"1"), lambda _, error: published.set_result(error))
        )
        assert await published is None
        assert await a.next() == b"1"


# ---------------------------------------------------------------------------------------------- objects


async def test_partitions_for_today_and_two_more_days(
    settings: dict[str, Any], sql: asyncpg.Connection[asyncpg.Record]
) -> None:
    async with node(settings, "a"):
        pass
    table = f"{settings['table_prefix']}_controller_messages"
    rows = await sql.fetch(
        "SELECT relname FROM pg_class WHERE relname LIKE $1 AND relispartition AND relkind = 'r' ORDER BY relname",
        f"{table}%",
    )
    days = [datetime.now(UTC) + timedelta(days=number) for number in range(4)]
    assert [row["relname"] for row in rows] == [f"{table}_{day:%Y_%m_%d}" for day in days[:3]]
    await sql.execute("SET TIME ZONE 'UTC'")
    bounds = await sql.fetchval("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = $1", rows[0][0])
    assert bounds == f"FOR VALUES FROM ('{days[0]:%Y-%m-%d} 00:00:00+00') TO ('{days[1]:%Y-%m-%d} 00:00:00+00')"


async def test_only_old_partitions_are_dropped(
    settings: dict[str, Any], sql: asyncpg.Connection[asyncpg.Record]
) -> None:
    async with node(settings, "a"):
        pass
    table = f"{settings['table_prefix']}_controller_messages"
    for name, first, last in (("_2020_01_01", "2020-01-01", "2020-01-02"), ("_mine", "2020-01-02", "2020-01-03")):
        await sql.execute(f"CREATE TABLE {table}{name} PARTITION OF {table} FOR VALUES FROM ('{first}') TO ('{last}')")

    async def exists(name: str) -> bool:
        return bool(await sql.fetchval("SELECT to_regclass($1) IS NOT NULL", table + name))

    async def is_dropped() -> bool:
        return not await exists("_2020_01_01")

    async with node(settings, "a", partition_cleanup_interval=0.05):
        await until(is_dropped)
    assert await exists("_mine")


async def test_lock_rows_match_the_last_start(
    settings: dict[str, Any], sql: asyncpg.Connection[asyncpg.Record]
) -> None:
    for shards in (2, 1, 3):
        async with node(settings, "a", num_shards=shards) as a:
            await a.controller.publish_control(b"1")
            assert await a.next() == b"1"
        rows = await sql.fetch(f"SELECT shard_id FROM {settings['table_prefix']}_controller_shard_lock ORDER BY 1")
        assert [row["shard_id"] for row in rows] == list(range(shards))


async def test_applications_can_publish_with_the_function(
    settings: dict[str, Any], sql: asyncpg.Connection[asyncpg.Record]
) -> None:
    async with node(settings, "a", num_shards=3) as a:
        publish = f"{settings['table_prefix']}_controller_publish"
        await sql.execute(f"SELECT {publish}('\\x01')")
        assert await a.next() == b"\x01"
        await sql.execute(f"SELECT {publish}(p_data => '\\x02', p_node_id => 'a', p_num_shards => 3)")
        assert await a.next() == b"\x02"


async def test_many_nodes_can_start_concurrently_on_an_empty_database(settings: dict[str, Any]) -> None:
    async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as starts:
        for number in range(12):
            controller = PostgresController(Settings(**settings), f"n{number}")
            stack.push_async_callback(controller.close)
            starts.create_task(controller.start(lambda _: None))


async def test_a_newer_schema_is_rejected(settings: dict[str, Any], sql: asyncpg.Connection[asyncpg.Record]) -> None:
    async with node(settings, "a"):
        pass
    await sql.execute(f"UPDATE {settings['table_prefix']}_controller_schema_version SET schema_version = 2")
    with pytest.raises(EngineUnavailable, match="downgrade not supported"):
        await PostgresController(Settings(**settings), "a").start(lambda _: None)


async def test_a_table_without_partitions_is_rejected(
    settings: dict[str, Any], sql: asyncpg.Connection[asyncpg.Record]
) -> None:
    await sql.execute(f"CREATE TABLE {settings['table_prefix']}_controller_messages (id BIGINT, shard_id SMALLINT)")
    with pytest.raises(EngineUnavailable, match="not partitioned; drop the existing tables"):
        await PostgresController(Settings(**settings), "a").start(lambda _: None)


async def test_skip_schema_init_creates_nothing(settings: dict[str, Any]) -> None:
    controller = PostgresController(Settings(**settings, skip_schema_init=True), "a")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await controller.start(lambda _: None)  # retries until the table exists
    await controller.close()


# ---------------------------------------------------------------------------------------------- failures


async def test_an_outage_is_reported_and_survived(postgres: Postgres, settings: dict[str, Any]) -> None:
    for more in ({}, {"use_notify": True}):
        async with node(settings, "a", **more) as a:

            async def lost(controller: PostgresController = a.controller) -> bool:
                return controller.outage == "PostgreSQL"

            assert not a.controller.outage
            await asyncio.to_thread(postgres.stop)
            with pytest.raises(EngineUnavailable):
                await a.controller.publish_control(b"lost")
            await until(lost)
            await asyncio.to_thread(postgres.start)
            await until(lambda: published(a, b"back"))
            assert await a.next() == b"back"
            assert not a.controller.outage


async def test_a_node_that_receives_nothing_reports_an_outage(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanjet.engines.postgres.controller.SILENCE_SECONDS", 0.3)
    async with node(settings, "a") as a:

        async def is_deaf() -> bool:
            return a.controller.outage == "messages of PostgreSQL"

        await until(is_deaf)
        assert a.controller.silence > 0.3
        await a.controller.publish_control(b"1")
        await a.next()
        assert a.controller.silence < 0.3


async def test_a_recreated_table_is_read(
    settings: dict[str, Any], sql: asyncpg.Connection[asyncpg.Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanjet.engines.postgres.outbox_reader.CHECK_SECONDS", 0.1)
    async with node(settings, "a") as a:
        for number in range(3):
            await a.controller.publish_control(b"%d" % number)
            assert await a.next() == b"%d" % number
        await sql.execute(f"TRUNCATE {settings['table_prefix']}_controller_messages RESTART IDENTITY")

        async def receives() -> bool:
            await a.controller.publish_control(b"again")
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(a.next(), 0.3) == b"again"
            return False

        await until(receives)


async def test_a_database_that_does_not_answer_times_out(
    postgres: Postgres, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanjet.engines.postgres.database.OPERATION_SECONDS", 0.3)
    async with node(settings, "a") as a:
        await a.controller.publish_control(b"1")
        postgres.freeze()
        try:
            with pytest.raises(EngineUnavailable, match="no answer"):
                await asyncio.wait_for(a.controller.publish_control(b"2"), PATIENCE)
        finally:
            postgres.thaw()
        await until(lambda: published(a, b"3"))
        while await a.next() != b"3":
            pass


async def test_an_unreachable_database_is_reported() -> None:
    with pytest.raises(EngineUnavailable, match=r"error creating controller: .*127\.0\.0\.1"):
        await PostgresController(Settings(dsn="postgres://127.0.0.1:1/x"), "a").start(lambda _: None)


async def test_tls_is_verified_by_the_configured_name() -> None:
    pair = issue()
    server = Postgres(pair)
    server.start()
    try:
        trusting = Tls(enabled=True, server_ca_pem=pair.certificate, server_name="localhost")
        async with node({"dsn": server.dsn, "tls": trusting}, "a", use_notify=True) as a:
            await a.controller.publish_control(b"1")
            assert await a.next() == b"1"
        wrong = Tls(enabled=True, server_ca_pem=pair.certificate, server_name="elsewhere")
        with pytest.raises(EngineUnavailable):
            await PostgresController(Settings(dsn=server.dsn, tls=wrong), "a").start(lambda _: None)
        unknown = Tls(enabled=True, server_name="localhost")
        with pytest.raises(EngineUnavailable):
            await PostgresController(Settings(dsn=server.dsn, tls=unknown), "a").start(lambda _: None)
    finally:
        server.remove()
