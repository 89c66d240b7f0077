"""A pipelined connection to Redis with keepalive."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import hiredis

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.net.aio import DirectFuture

from .errors import CommandError, ConnectionLost

if TYPE_CHECKING:
    from .address import Address, Login

Word = bytes | str | int
Words = tuple[Word, ...]
Command = Words | bytes
"""Words, or a packed command."""
Decode = Callable[[Any], Any]
"""Converts a reply to the result."""
Expected = asyncio.Future[Any] | DirectFuture[Any]
"""Receives the reply."""

KEEPALIVE_SECONDS: Final = 0.4
WRITE_BUFFER_LIMIT: Final = 64 * 1024 * 1024
"""Bytes in the write buffer; further commands wait until Redis has read some of it."""

NO_REPLY: Final = object()

pack = cast("Callable[[Words], bytes]", hiredis.pack_command)
"""Encode a command for sending."""

C = TypeVar("C", bound="Connection")


class Connection(asyncio.Protocol):
    """A connection to a Redis server, with pipelined commands.

    Commands issued in one event loop turn leave in one write; replies come in the order of the commands.

    An idle connection sends PING, and fails when no reply comes within the timeout. Then, as when the connection
    breaks, `lost` is done and every pending command fails with `ConnectionLost`.

    While Redis reads more slowly than callers send, commands wait in a queue, in order.
    """

    def __init__(self, address: Address, io_timeout: float) -> None:
        self.address = address
        self.loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[ConnectionLost] = self.loop.create_future()
        self._send_error = ""
        """Why nothing can be sent now; empty if something can."""
        self._is_full = False
        self._backlog: deque[tuple[bytes, Expected, Decode | None]] = deque()
        self._pending: deque[tuple[Expected, Decode | None]] = deque()
        self._outgoing: list[bytes] = []
        self._reader = hiredis.Reader(replyError=CommandError, notEnoughData=NO_REPLY)
        self._transport: asyncio.Transport | None = None
        self._silent_ticks = 0
        self._ticks_allowed = 1 + max(0, round(io_timeout / KEEPALIVE_SECONDS))
        self._keepalive: asyncio.TimerHandle | None = None
        self._closed = asyncio.Event()

    def execute(self, command: Command, decode: Decode | None = None) -> asyncio.Future[Any]:
        """Send a command; the result is the reply, decoded by `decode` if given.

        The future raises `CommandError` or `ConnectionLost`; this call may raise `ConnectionLost` immediately.
        """
        future = self.loop.create_future()
        self._issue(command, future, decode)
        return future

    def execute_direct(self, command: Command, decode: Decode | None = None) -> DirectFuture[Any]:
        """Like `execute`, cheaper, for commands sent ten thousand times a second."""
        future: DirectFuture[Any] = DirectFuture(self.loop)
        self._issue(command, future, decode)
        return future

    def close(self) -> None:
        """Close the connection immediately."""
        self._fail("connection closed")

    async def wait_closed(self) -> None:
        """Close the connection and wait until its socket is closed."""
        self.close()
        if self._transport is not None:
            await self._closed.wait()

    async def log_in(self, login: Login) -> None:
        """Authenticate and set up the connection, before any other command.

        Raises `CommandError`, `ConnectionLost`.
        """
        if login.force_resp2 or not await self._hello(login):
            if login.user or login.password:
                words = ("AUTH", login.user, login.password) if login.user else ("AUTH", login.password)
                await self.execute(words)
            if login.client_name:
                await self.execute(("CLIENT", "SETNAME", login.client_name))
        if login.db:
            await self.execute(("SELECT", login.db))
        if login.read_only:
            await self.execute(("READONLY",))

    async def _hello(self, login: Login) -> bool:
        """Switch to RESP3.

        False if the server refuses; the RESP2 commands then report the reason.
        """
        words: Words = ("HELLO", 3)
        if login.user or login.password:
            words += ("AUTH", login.user or "default", login.password)
        if login.client_name:
            words += ("SETNAME", login.client_name)
        try:
            await self.execute(words)
        except CommandError:
            return False
        return True

    # ------------------------------------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_LIMIT)
        self._keepalive = self.loop.call_later(KEEPALIVE_SECONDS, self._tick)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._silent_ticks = 0
        self._reader.feed(data)
        try:
            self._process_replies()
        except hiredis.HiredisError as error:
            self._fail(f"not the Redis protocol: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._fail(f"connection lost: {exc or 'closed by Redis'}")
        self._closed.set()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        if self.lost.done():
            return
        self._is_full = True
        self._send_error = self._send_error or "Redis takes too long to read what it is sent"

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._is_full = False
        if not self.lost.done():
            self._send_backlog()
            self._send_error = self._send_error if self._is_full else ""

    # ------------------------------------------------------------------------------------------ inside

    def _issue(self, command: Command, expected: Expected, decode: Decode | None) -> None:
        packed = command if isinstance(command, bytes) else pack(command)
        if self._send_error:
            self._queue(packed, expected, decode)
            return
        self._pending.append((expected, decode))
        outgoing = self._outgoing  # as `_send` does
        if not outgoing:
            self.loop.call_soon(self._flush)
        outgoing.append(packed)

    def _queue(self, packed: bytes, expected: Expected, decode: Decode | None) -> None:
        """Send the command later.

        The queue needs no limit, because callers wait for their replies.
        """
        if not self._is_full:
            raise ConnectionLost(self._send_error)
        self._backlog.append((packed, expected, decode))

    def _send_backlog(self) -> None:
        while self._backlog and not self._is_full and self._transport is not None:
            packed, expected, decode = self._backlog.popleft()
            self._pending.append((expected, decode))
            self._transport.write(packed)

    def _send(self, packed: bytes) -> None:
        outgoing = self._outgoing
        if not outgoing:
            self.loop.call_soon(self._flush)
        outgoing.append(packed)

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if outgoing and self._transport is not None and not self.lost.done():
            self._transport.write(b"".join(outgoing))

    def _process_replies(self) -> None:
        gets = self._reader.gets
        pending = self._pending
        while (reply := gets()) is not NO_REPLY:
            try:
                future, decode = pending.popleft()
            except IndexError:  # an unsolicited error, sent before Redis closes the connection
                self._fail(str(reply))
                return
            if future.done():
                continue  # the waiter was cancelled
            if isinstance(reply, CommandError):
                future.set_exception(reply)
            elif decode is None:
                future.set_result(reply)
            else:
                try:
                    result = decode(reply)
                except Exception as error:  # an unexpected reply fails only its own command
                    future.set_exception(error)
                else:
                    future.set_result(result)

    def _tick(self) -> None:
        """Send a PING on an idle connection, or fail after too long a silence.

        Counts ticks, not seconds: after a pause of this process, data received meanwhile is read first.
        """
        self._keepalive = self.loop.call_later(KEEPALIVE_SECONDS, self._tick)
        self._silent_ticks += 1
        if self._silent_ticks > self._ticks_allowed:
            self._fail("Redis does not answer")
        elif self._silent_ticks == 1:
            self._ping()

    def _ping(self) -> None:
        if not self._send_error:
            self.execute(("PING",)).add_done_callback(asyncio.Future.exception)

    def _fail(self, reason: str) -> None:
        if self.lost.done():
            return
        error = ConnectionLost(f"{self.address}: {reason}")
        self._send_error = str(error)
        self._is_full = False
        if self._keepalive is not None:
            self._keepalive.cancel()
        if self._transport is not None:
            self._transport.abort()
        expected = [future for future, _ in self._pending] + [future for _, future, _ in self._backlog]
        self._pending.clear()
        self._backlog.clear()
        for future in expected:
            if not future.done():
                future.set_exception(ConnectionLost(self._send_error))
        self.lost.set_result(error)


async def connect(address: Address, login: Login, make: type[C]) -> C:
    """Connect and log in.

    Raises `EngineUnavailable`. Must run in a task, because its timeouts need one.
    """
    connection = make(address, login.io_timeout)
    try:
        async with asyncio.timeout(login.connect_timeout):
            await _open(connection, login)
        # Logging in has a separate timeout: a slow network is not the server's fault.
        async with asyncio.timeout(login.connect_timeout):
            await connection.log_in(login)
    except ConnectionLost as error:
        await connection.wait_closed()
        raise EngineUnavailable(f"error connecting to Redis at {error}") from error
    except (OSError, TimeoutError, UnicodeError, EngineUnavailable) as error:  # UnicodeError: an invalid host name
        await connection.wait_closed()
        raise EngineUnavailable(f"error connecting to Redis at {address}: {str(error) or 'timeout'}") from error
    except BaseException:
        await connection.wait_closed()
        raise
    return connection


async def _open(connection: Connection, login: Login) -> None:
    address = connection.address
    loop = asyncio.get_running_loop()
    try:
        if address.path:
            await loop.create_unix_connection(lambda: connection, address.path)
        else:
            name = (login.server_name or address.host) if login.tls else None
            await loop.create_connection(
                lambda: connection, address.host, address.port, ssl=login.tls, server_hostname=name
            )
    except BaseException:
        connection.connection_lost(None)  # uvloop does not call this after a failed attempt
        raise
