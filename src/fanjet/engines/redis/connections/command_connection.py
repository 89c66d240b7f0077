"""A command connection to one Redis server.

It is opened on demand, and again after a loss.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from .connection import Connection, connect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .address import Address, Login
    from .connection import Command, Decode
    from .errors import ConnectionLost

log = get_logger(__name__)

PAUSE_AFTER_FAILURE: Final = 0.1
"""Seconds after a failed attempt in which callers fail with its error, without another attempt."""
RETRY_SECONDS: Final = 1.0
"""Delay of a reconnection attempt that no caller has triggered."""


class CommandConnection:
    """A connection for commands, opened on demand and again after a loss.

    Commands issued while disconnected wait for one connection attempt and share its outcome. No command is repeated.

    `resolve` returns the address for each attempt; it may raise `EngineUnavailable`. `is_current` checks, once
    connected, whether the address is still right. `on_loss` is called when the connection is lost or an attempt fails.
    """

    def __init__(
        self,
        resolve: Callable[[], Awaitable[Address]],
        login: Login,
        on_loss: Callable[[], None] = lambda: None,
        is_current: Callable[[Address], bool] = lambda _address: True,
    ) -> None:
        self._resolve = resolve
        self._is_current = is_current
        self._login = login
        self._on_loss = on_loss
        self._connection: Connection | None = None
        self._attempt: asyncio.Task[Connection] | None = None
        self._failed_at = 0.0
        self._failure: EngineUnavailable | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def is_lost(self) -> bool:
        """Whether the connection was lost or could not be opened, and is not back."""
        return self._connection is None and self._failure is not None

    def execute(self, command: Command, key: bytes | str = "", decode: Decode | None = None) -> Awaitable[Any]:
        """See `Shard.execute`. `key` is ignored: this server has all keys."""
        connection = self._connection
        return self._execute_later(command, decode) if connection is None else connection.execute(command, decode)

    def publish(self, command: Command, key: bytes | str = "", decode: Decode | None = None) -> Awaitable[Any]:
        """See `Shard.publish`."""
        connection = self._connection
        return (
            self._execute_later(command, decode) if connection is None else connection.execute_direct(command, decode)
        )

    async def connection(self) -> Connection:
        """The connection, opened if necessary. Raises `EngineUnavailable`."""
        if self._connection is not None:
            return self._connection
        if self._closed:
            raise EngineUnavailable("closed")
        loop = asyncio.get_running_loop()
        if self._attempt is None and self._failure is not None and loop.time() - self._failed_at < PAUSE_AFTER_FAILURE:
            raise EngineUnavailable(str(self._failure))
        return await asyncio.shield(self._attempt or self._start_attempt())

    def reset(self, reason: str) -> None:
        """Close the connection, because the server is no longer the right one.

        The next command opens another.
        """
        if self._connection is not None:
            log.warn("leaving a Redis server", address=self._connection.address, reason=reason)
            self._connection.close()

    def close_soon(self) -> None:
        """Disconnect for good, without waiting for the socket to be closed."""
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
        if self._connection is not None:
            self._connection.close()

    async def close(self) -> None:
        """Disconnect for good."""
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
        if self._attempt is not None:
            self._attempt.cancel()
            await asyncio.gather(self._attempt, return_exceptions=True)
        if self._connection is not None:
            await self._connection.wait_closed()

    async def _execute_later(self, command: Command, decode: Decode | None) -> Any:
        return await (await self.connection()).execute(command, decode)

    def _start_attempt(self) -> asyncio.Task[Connection]:
        self._attempt = asyncio.get_running_loop().create_task(self._connect())
        self._attempt.add_done_callback(_consume_exception)
        return self._attempt

    def _retry_attempt(self) -> None:
        if self._connection is None and self._attempt is None and not self._closed:
            self._start_attempt()

    def _on_failure(self, error: EngineUnavailable) -> None:
        loop = asyncio.get_running_loop()
        self._failure = error
        if self._retry is not None:
            self._retry.cancel()
        self._retry = loop.call_later(RETRY_SECONDS, self._retry_attempt)
        self._on_loss()

    async def _connect(self) -> Connection:
        try:
            address = await self._resolve()
            connection = await connect(address, self._login, Connection)
            if not self._is_current(address):
                await connection.wait_closed()
                raise EngineUnavailable(f"{address} is no longer the right Redis server")
        except EngineUnavailable as error:
            self._failed_at = asyncio.get_running_loop().time()
            if not self._closed:
                self._on_failure(error)
            raise
        finally:
            self._attempt = None
        if self._closed:
            connection.close()
            raise EngineUnavailable("closed")
        self._connection = connection
        if self._failure is not None:
            log.info("connected to Redis again", address=address)
            self._failure = None
        connection.lost.add_done_callback(self._on_lost)
        return connection

    def _on_lost(self, lost: asyncio.Future[ConnectionLost]) -> None:
        self._connection = None
        if not self._closed:
            log.warn("connection to Redis lost", error=lost.result())
            self._on_failure(lost.result())


def _consume_exception(attempt: asyncio.Task[Connection]) -> None:
    """Retrieve the exception of a task.

    Otherwise asyncio reports it when all waiters were cancelled.
    """
    if not attempt.cancelled():
        attempt.exception()
