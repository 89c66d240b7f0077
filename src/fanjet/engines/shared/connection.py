"""A worker's connection to the engine's process: never waiting for anything itself, watched."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, cast

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from .frames import MOST_IN_FRAME, FrameReader, FrameWriter, MalformedFrame
from .messages import Answer, Call, Done, Event, Hello, Ping, Refused, decode_answers, encode

if TYPE_CHECKING:
    from collections.abc import Callable

log = get_logger(__name__)

KEEPALIVE_SECONDS: Final = 0.4
TICKS_ALLOWED: Final = 10
"""Ticks of silence, one more than a ping has to be answered in: 4 s."""
CONNECT_SECONDS: Final = 5.0
"""For the first answer: the process may be starting."""
MOST_UNSENT: Final = 64 * 1024 * 1024
"""Bytes that wait for an engine that does not read; beyond that calls are refused."""
SLICE_SECONDS: Final = 0.002
"""Time for what comes until the loop gets its turn. What was read meanwhile waits, and nothing more is read."""
SLICE_CHECK: Final = 16
"""Messages between two looks at the clock."""


class ConnectionLost(EngineUnavailable):
    """The connection broke, or the engine fell silent; what was under way may have been done or not."""


class EngineConnection(asyncio.Protocol):
    """Calls made in one turn of the loop leave in one write; their answers come in the same order. `take` gets events.

    After some silence it asks for a sign of life, and gives up when there is none: then, as when the connection breaks,
    every call under way fails with `ConnectionLost`. `lost` is done then.
    """

    def __init__(self, take: Callable[[Event], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[ConnectionLost] = self._loop.create_future()
        self._take = take
        self._refusal = ""
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._reader: FrameReader[Done | Answer | Event] = FrameReader(decode_answers)
        self._writer = FrameWriter(self._loop, self._write)
        self._unread: deque[Done | Answer | Event] = deque()
        self._transport: asyncio.Transport | None = None
        self._silent_ticks = 0
        self._keepalive: asyncio.TimerHandle | None = None
        self._closed = asyncio.Event()

    def call(self, message: Call) -> asyncio.Future[Any]:
        """The answer to come, None for what is just done. Raises `EngineUnavailable`, here or when awaited."""
        if self._refusal:
            raise ConnectionLost(self._refusal)
        encoded = encode(message)
        if len(encoded) > MOST_IN_FRAME // 2:
            raise EngineUnavailable(f"a message of {len(encoded)} bytes is too long for the engine")
        future = self._loop.create_future()
        self._waiting.append(future)
        self._writer.add(encoded)
        return future

    def send(self, message: Call) -> None:
        """Call without waiting for the answer."""
        self.call(message).add_done_callback(asyncio.Future.exception)

    def close(self) -> None:
        """Break it off."""
        self._fail("connection closed")

    async def wait_closed(self) -> None:
        """Break it off, and wait until its socket is closed."""
        self.close()
        if self._transport is not None:
            await self._closed.wait()

    # ------------------------------------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=MOST_UNSENT)
        self._keepalive = self._loop.call_later(KEEPALIVE_SECONDS, self._tick)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._silent_ticks = 0
        try:
            self._unread += self._reader.feed(data)
        except MalformedFrame as error:
            self._fail(f"not what the engine should say: {error}")
        else:
            self._read_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._fail(f"connection lost: {exc or 'closed by the engine'}")
        self._closed.set()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._refusal = self._refusal or "the engine takes too long to read what it is sent"

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        if not self.lost.done():
            self._refusal = ""

    # ------------------------------------------------------------------------------------------ inside

    def _write(self, frame: bytes) -> None:
        if self._transport is not None and not self.lost.done():
            self._transport.write(frame)

    def _read_on(self) -> None:
        unread, waiting, take = self._unread, self._waiting, self._take
        until = 0.0
        count = 0
        while unread:
            message = unread.popleft()
            if isinstance(message, int):
                for _ in range(message):
                    future = waiting.popleft()
                    if not future.done():  # else who waited has gone
                        future.set_result(None)
            elif isinstance(message, Answer):
                _answer(waiting.popleft(), message)
            else:
                take(message)
            count += 1
            if count % SLICE_CHECK == 0:
                now = self._loop.time()
                until = until or now + SLICE_SECONDS
                if now > until:
                    self._read_on_later()
                    return

    def _read_on_later(self) -> None:
        if self._transport is not None and not self.lost.done():
            self._transport.pause_reading()
            self._loop.call_soon(self._resume)

    def _resume(self) -> None:
        if self._transport is not None and not self.lost.done():
            self._silent_ticks = 0
            self._transport.resume_reading()
            self._read_on()

    def _tick(self) -> None:
        """Counts rounds of the loop, not seconds: after a pause of our own, what came meanwhile is read first."""
        self._keepalive = self._loop.call_later(KEEPALIVE_SECONDS, self._tick)
        self._silent_ticks += 1
        if self._silent_ticks > TICKS_ALLOWED:
            self._fail("the engine does not answer")
        elif self._silent_ticks == 1 and not self._refusal:
            self.send(Ping())

    def _fail(self, why: str) -> None:
        if self.lost.done():
            return
        self._refusal = why
        if self._keepalive is not None:
            self._keepalive.cancel()
        if self._transport is not None:
            self._transport.abort()
        self._unread.clear()
        waiting, self._waiting = self._waiting, deque()
        for future in waiting:
            if not future.done():
                future.set_exception(ConnectionLost(why))
        self.lost.set_result(ConnectionLost(why))


def _answer(future: asyncio.Future[Any], answer: Answer) -> None:
    if future.done():
        return  # who waited has gone
    if isinstance(answer, Refused):
        future.set_exception(EngineUnavailable(answer.reason))
    else:
        future.set_result(answer)


async def connect(path: str, hello: Hello, take: Callable[[Event], None]) -> EngineConnection:
    """Connect, and wait until the engine has answered. Raises `EngineUnavailable`. Needs a task."""
    connection = EngineConnection(take)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await asyncio.get_running_loop().create_unix_connection(lambda: connection, path)
            await connection.call(hello)
    except (OSError, TimeoutError, EngineUnavailable) as error:
        await connection.wait_closed()
        raise EngineUnavailable(f"error connecting to the engine at {path}: {str(error) or 'timeout'}") from error
    except BaseException:
        await connection.wait_closed()
        raise
    return connection
