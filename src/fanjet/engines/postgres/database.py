"""A pool of connections to one database."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from fanjet.engines.interfaces import EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from .dsn import Target

Rows = list[asyncpg.Record]

CONNECT_SECONDS: Final = 3.0
"""A server that is about to stop may accept a connection and never answer."""
OPERATION_SECONDS: Final = 9.0
"""Timeout of a statement: the timeout of an API request would not allow more (05 Q8)."""


class QueryError(EngineUnavailable):
    """The database answered with an error; `state` is its SQLSTATE."""

    def __init__(self, error: asyncpg.PostgresError) -> None:
        super().__init__(str(error))
        self.state: str = error.sqlstate or ""


class _Connection(asyncpg.Connection):
    def get_reset_query(self) -> str:
        """None: no statement leaves session state, and a reset costs a round trip."""
        return ""


class Database:
    """A PostgreSQL database and its connections.

    Every call may raise `EngineUnavailable`, and `QueryError` when the database itself answered with an error.

    Connections that break are replaced when they are next needed.
    """

    def __init__(self, target: Target, pool_size: int) -> None:
        self._target = target
        self._pool_size = pool_size
        self._pool: asyncpg.Pool | None = None

    async def start(self) -> None:
        """Connect."""
        with _failures():
            self._pool = await asyncpg.create_pool(
                **self._target.options(),
                min_size=0,  # background maintenance of idle connections logs a traceback when the database stops
                max_size=self._pool_size,
                timeout=CONNECT_SECONDS,
                connection_class=_Connection,
            )
        await self.fetch("SELECT 1")

    async def close(self) -> None:
        """Disconnect, without waiting for running statements."""
        if self._pool is not None:
            self._pool.terminate()

    async def fetch(self, query: str, *arguments: Any) -> Rows:
        """Run one statement with its arguments. May be called without a current task."""
        # In a task of its own, since its timeouts need one, and commands have none until they wait (net.aio).
        return await asyncio.get_running_loop().create_task(self._fetch(query, arguments))

    async def _fetch(self, query: str, arguments: tuple[Any, ...]) -> Rows:
        async with self._connection() as connection:
            rows: Rows = await connection.fetch(query, *arguments, timeout=OPERATION_SECONDS)
            return rows

    async def run(self, script: str) -> None:
        """Run statements without arguments, atomically."""
        async with self._connection() as connection:
            await connection.execute(script, timeout=OPERATION_SECONDS)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        if self._pool is None:
            raise EngineUnavailable("not connected to PostgreSQL")
        with _failures():
            async with self._pool.acquire(timeout=OPERATION_SECONDS) as connection:
                try:
                    yield connection
                except asyncpg.PostgresError:
                    raise
                except Exception:
                    # Without a graceful close: the connection may be unusable, and waiting for a server that does not
                    # answer would take as long again.
                    connection.terminate()
                    raise


@asynccontextmanager
async def notification_connection(
    target: Target, channel: str, on_notification: Callable[[], None]
) -> AsyncIterator[asyncio.Event]:
    """Receive notifications while the block runs.

    The event is set when the connection is lost. Raises `EngineUnavailable`.
    """
    lost = asyncio.Event()
    with _failures():
        connection = await asyncpg.connect(**target.options(), timeout=CONNECT_SECONDS)
    try:
        connection.add_termination_listener(lambda _: lost.set())
        with _failures():
            await connection.add_listener(channel, lambda *_: on_notification())
        yield lost
    finally:
        connection.terminate()


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except asyncpg.PostgresError as error:
        raise QueryError(error) from error
    except TimeoutError as error:
        raise EngineUnavailable("no answer from PostgreSQL in time") from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, ValueError) as error:
        raise EngineUnavailable(f"{error}") from error
