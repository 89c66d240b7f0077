"""The way to one Redis server for commands: a connection that is opened when it is needed, and again after a loss."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from .connection import Connection, connect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .address import Address, Login
    from .connection import Command, Reading
    from .errors import ConnectionLost

log = get_logger(__name__)

PAUSE_AFTER_FAILURE: Final = 0.1
"""Seconds in which nobody tries again: callers fail with what failed last."""
RETRY_SECONDS: Final = 1.0
"""After so long it is tried again without anybody calling."""


class Link:
    """Commands that come while nothing is connected wait for one attempt and share its outcome. None is repeated.

    `find` tells where to connect, anew for each attempt; it may raise `EngineUnavailable`. `is_right` tells, once
    connected, whether that is still the place. `on_loss` is called when a connection was lost or could not be had.
    """

    def __init__(
        self,
        find: Callable[[], Awaitable[Address]],
        login: Login,
        on_loss: Callable[[], None] = lambda: None,
        is_right: Callable[[Address], bool] = lambda _address: True,
    ) -> None:
        self._find = find
        self._is_right = is_right
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
        """Whether there was a connection, or should be one, and it is not there."""
        return self._connection is None and self._failure is not None

    def execute(self, command: Command, key: bytes | str = "", reading: Reading | None = None) -> Awaitable[Any]:
        """See `Shard.execute`. All keys are there."""
        connection = self._connection
        return self._execute_later(command, reading) if connection is None else connection.execute(command, reading)

    def publish(self, command: Command, key: bytes | str = "", reading: Reading | None = None) -> Awaitable[Any]:
        """See `Shard.publish`."""
        connection = self._connection
        return self._execute_later(command, reading) if connection is None else connection.promise(command, reading)

    async def connection(self) -> Connection:
        """The connection, opened if need be. Raises `EngineUnavailable`."""
        if self._connection is not None:
            return self._connection
        if self._closed:
            raise EngineUnavailable("closed")
        loop = asyncio.get_running_loop()
        if self._attempt is None and self._failure is not None and loop.time() - self._failed_at < PAUSE_AFTER_FAILURE:
            raise EngineUnavailable(str(self._failure))
        return await asyncio.shield(self._attempt or self._begin())

    def reset(self, why: str) -> None:
        """Connect anew: the server is not the right one any more."""
        if self._connection is not None:
            log.warn("leaving a Redis server", address=self._connection.address, reason=why)
            self._connection.close()

    def retire(self) -> None:
        """Disconnect for good, without waiting for anything."""
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

    async def _execute_later(self, command: Command, reading: Reading | None) -> Any:
        return await (await self.connection()).execute(command, reading)

    def _begin(self) -> asyncio.Task[Connection]:
        self._attempt = asyncio.get_running_loop().create_task(self._connect())
        self._attempt.add_done_callback(_take_note)
        return self._attempt

    def _begin_again(self) -> None:
        if self._connection is None and self._attempt is None and not self._closed:
            self._begin()

    def _note_failure(self, error: EngineUnavailable) -> None:
        loop = asyncio.get_running_loop()
        self._failure = error
        if self._retry is not None:
            self._retry.cancel()
        self._retry = loop.call_later(RETRY_SECONDS, self._begin_again)
        self._on_loss()

    async def _connect(self) -> Connection:
        try:
            address = await self._find()
            connection = await connect(address, self._login, Connection)
            if not self._is_right(address):
                await connection.wait_closed()
                raise EngineUnavailable(f"{address} is not the right Redis server any more")
        except EngineUnavailable as error:
            self._failed_at = asyncio.get_running_loop().time()
            if not self._closed:
                self._note_failure(error)
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
        connection.lost.add_done_callback(self._note_loss)
        return connection

    def _note_loss(self, lost: asyncio.Future[ConnectionLost]) -> None:
        self._connection = None
        if not self._closed:
            log.warn("connection to Redis lost", error=lost.result())
            self._note_failure(lost.result())


def _take_note(attempt: asyncio.Task[Connection]) -> None:
    """Of its failure, lest it be reported as unseen when all who waited have gone."""
    if not attempt.cancelled():
        attempt.exception()
