"""One connection to Redis: pipelined, watched, never waiting for anything itself."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import hiredis

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.net.aio import Promise

from .errors import CommandRefused, ConnectionLost

if TYPE_CHECKING:
    from .address import Address, Login

Word = bytes | str | int
Words = tuple[Word, ...]
Command = Words | bytes
"""Words, or what `pack` makes of them."""
Reading = Callable[[Any], Any]
"""What makes the result of a reply."""
Expected = asyncio.Future[Any] | Promise[Any]
"""Where it is waited for."""

KEEPALIVE_SECONDS: Final = 0.4
MOST_UNSENT: Final = 64 * 1024 * 1024
"""Bytes that the socket may have to take; what comes beyond that waits until Redis has read some of it."""

NOTHING: Final = object()

pack = cast("Callable[[Words], bytes]", hiredis.pack_command)
"""A command as it is sent."""

C = TypeVar("C", bound="Connection")


class Connection(asyncio.Protocol):
    """Commands issued in one iteration of the loop leave in one write; replies come in the order of the commands.

    After some silence it asks for a sign of life, and gives up when none comes within the timeout: then, as when the
    connection breaks, every command under way fails with `ConnectionLost`. `lost` is done then.

    While Redis takes longer to read than others to send, commands wait, in their order.
    """

    def __init__(self, address: Address, io_timeout: float) -> None:
        self.address = address
        self.loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[ConnectionLost] = self.loop.create_future()
        self._refusal = ""
        """Why nothing can be sent now."""
        self._is_full = False
        self._held: deque[tuple[bytes, Expected, Reading | None]] = deque()
        self._pending: deque[tuple[Expected, Reading | None]] = deque()
        self._outgoing: list[bytes] = []
        self._reader = hiredis.Reader(replyError=CommandRefused, notEnoughData=NOTHING)
        self._transport: asyncio.Transport | None = None
        self._silent_ticks = 0
        self._ticks_allowed = 1 + max(0, round(io_timeout / KEEPALIVE_SECONDS))
        self._keepalive: asyncio.TimerHandle | None = None
        self._closed = asyncio.Event()

    def execute(self, command: Command, reading: Reading | None = None) -> asyncio.Future[Any]:
        """Send a command; the result is the reply, or what `reading` makes of it. The future raises `CommandRefused` or
        `ConnectionLost`; so does this call, at once."""
        future = self.loop.create_future()
        self._issue(command, future, reading)
        return future

    def promise(self, command: Command, reading: Reading | None = None) -> Promise[Any]:
        """As `execute`, for commands that are sent ten thousand times a second."""
        promise: Promise[Any] = Promise(self.loop)
        self._issue(command, promise, reading)
        return promise

    def close(self) -> None:
        """Break it off."""
        self._fail("connection closed")

    async def wait_closed(self) -> None:
        """Break it off, and wait until its socket is closed."""
        self.close()
        if self._transport is not None:
            await self._closed.wait()

    async def greet(self, login: Login) -> None:
        """Say who we are, before anything else. Raises `CommandRefused`, `ConnectionLost`."""
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
        """Whether the server speaks RESP3; if it refuses, the older commands tell why."""
        words: Words = ("HELLO", 3)
        if login.user or login.password:
            words += ("AUTH", login.user or "default", login.password)
        if login.client_name:
            words += ("SETNAME", login.client_name)
        try:
            await self.execute(words)
        except CommandRefused:
            return False
        return True

    # ------------------------------------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=MOST_UNSENT)
        self._keepalive = self.loop.call_later(KEEPALIVE_SECONDS, self._tick)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._silent_ticks = 0
        self._reader.feed(data)
        try:
            self._take_replies()
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
        self._refusal = self._refusal or "Redis takes too long to read what it is sent"

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._is_full = False
        if not self.lost.done():
            self._send_held()
            self._refusal = self._refusal if self._is_full else ""

    # ------------------------------------------------------------------------------------------ inside

    def _issue(self, command: Command, expected: Expected, reading: Reading | None) -> None:
        packed = command if isinstance(command, bytes) else pack(command)
        if self._refusal:
            self._hold(packed, expected, reading)
            return
        self._pending.append((expected, reading))
        outgoing = self._outgoing  # as `_send` does
        if not outgoing:
            self.loop.call_soon(self._flush)
        outgoing.append(packed)

    def _hold(self, packed: bytes, expected: Expected, reading: Reading | None) -> None:
        """Send it later: whoever waits for the reply sends no more meanwhile, so that this need not be limited."""
        if not self._is_full:
            raise ConnectionLost(self._refusal)
        self._held.append((packed, expected, reading))

    def _send_held(self) -> None:
        while self._held and not self._is_full and self._transport is not None:
            packed, expected, reading = self._held.popleft()
            self._pending.append((expected, reading))
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

    def _take_replies(self) -> None:
        gets = self._reader.gets
        pending = self._pending
        while (reply := gets()) is not NOTHING:
            try:
                future, reading = pending.popleft()
            except IndexError:  # told without being asked: why it is about to close the connection
                self._fail(str(reply))
                return
            if future.done():
                continue  # who waited has gone
            if isinstance(reply, CommandRefused):
                future.set_exception(reply)
            elif reading is None:
                future.set_result(reply)
            else:
                try:
                    result = reading(reply)
                except Exception as error:  # a reply of another form fails its own command alone
                    future.set_exception(error)
                else:
                    future.set_result(result)

    def _tick(self) -> None:
        """Counts rounds of the loop, not seconds: after a pause of our own, what came meanwhile is read first."""
        self._keepalive = self.loop.call_later(KEEPALIVE_SECONDS, self._tick)
        self._silent_ticks += 1
        if self._silent_ticks > self._ticks_allowed:
            self._fail("Redis does not answer")
        elif self._silent_ticks == 1:
            self._ping()

    def _ping(self) -> None:
        if not self._refusal:
            self.execute(("PING",)).add_done_callback(asyncio.Future.exception)

    def _fail(self, why: str) -> None:
        if self.lost.done():
            return
        error = ConnectionLost(f"{self.address}: {why}")
        self._refusal = str(error)
        self._is_full = False
        if self._keepalive is not None:
            self._keepalive.cancel()
        if self._transport is not None:
            self._transport.abort()
        expected = [future for future, _ in self._pending] + [future for _, future, _ in self._held]
        self._pending.clear()
        self._held.clear()
        for future in expected:
            if not future.done():
                future.set_exception(ConnectionLost(self._refusal))
        self.lost.set_result(error)


async def connect(address: Address, login: Login, make: type[C]) -> C:
    """Connect and log in. Raises `EngineUnavailable`. Needs a task."""
    connection = make(address, login.io_timeout)
    try:
        async with asyncio.timeout(login.connect_timeout):
            await _open(connection, login)
        async with asyncio.timeout(login.connect_timeout):  # of its own: the way there is not the server's fault
            await connection.greet(login)
    except ConnectionLost as error:
        await connection.wait_closed()
        raise EngineUnavailable(f"error connecting to Redis at {error}") from error
    except (OSError, TimeoutError, UnicodeError, EngineUnavailable) as error:  # UnicodeError: of no host's name
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
        connection.connection_lost(None)  # uvloop closes what it gives up without telling that
        raise
