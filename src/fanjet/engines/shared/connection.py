"""A worker's connection to the engine's process: never waiting for anything itself, watched."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol, cast, get_args

from fanjet.engines.interfaces import EngineUnavailable, Published
from fanjet.telemetry.logging import get_logger

from .frames import MOST_IN_FRAME, FrameReader, FrameWriter, MalformedFrame
from .messages import Answer, Call, Done, Event, Hello, Ping, Position, Refused, decode_answers

if TYPE_CHECKING:
    from typing import TypeAlias

    from .messages import Broadcast, Publish

    Own: TypeAlias = Broadcast | Publish
    Waiting: TypeAlias = asyncio.Future[Any] | tuple[asyncio.Future[Any], Own]
    """Who waits for an answer; with the call, if it is news, too."""

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
_EVENTS: Final = frozenset(get_args(Event))
_DONE: Final = Published()


class ConnectionLost(EngineUnavailable):
    """The connection broke, or the engine fell silent; what was under way may have been done or not."""


class Listener(Protocol):
    """Takes what the engine tells."""

    def take(self, event: Event, /) -> None:
        """Something has happened."""

    def take_own(self, call: Own, published: Published, /) -> None:
        """What this worker published has been published."""


class EngineConnection(asyncio.Protocol):
    """Calls made in one turn of the loop leave in one write; their answers come in the same order.

    After some silence it asks for a sign of life, and gives up when there is none: then, as when the connection breaks,
    every call under way fails with `ConnectionLost`. `lost` is done then.
    """

    def __init__(self, listener: Listener) -> None:
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[ConnectionLost] = self._loop.create_future()
        self._listener = listener
        self._refusal = ""
        self._waiting: deque[Waiting] = deque()
        self._reader: FrameReader[Done | Answer | Event] = FrameReader(decode_answers)
        self._writer = FrameWriter(self._loop, self._write)
        self._unread: deque[Done | Answer | Event] = deque()
        self._transport: asyncio.Transport | None = None
        self._silent_ticks = 0
        self._keepalive: asyncio.TimerHandle | None = None
        self._closed = asyncio.Event()

    def call(self, message: Call) -> asyncio.Future[Any]:
        """The answer to come, an empty `Published` for what is just done. Raises `EngineUnavailable`, here or when
        awaited."""
        self._add(message)
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append(future)
        return future

    def publish(self, message: Own, *, is_news: bool) -> asyncio.Future[Published]:
        """The answer to a call that makes an event. If that `is_news` to this worker, it comes with the answer. Raises
        `EngineUnavailable` when awaited."""
        future: asyncio.Future[Published] = self._loop.create_future()
        try:
            self._add(message)
        except EngineUnavailable as error:
            future.set_exception(error)
        else:
            self._waiting.append((future, message) if is_news else future)
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

    def _add(self, message: Call) -> None:
        if self._refusal:
            raise ConnectionLost(self._refusal)
        size = self._writer.add_whole(message, MOST_IN_FRAME // 2)
        if size > MOST_IN_FRAME // 2:
            raise EngineUnavailable(f"a message of {size} bytes is too long for the engine")

    def _write(self, frame: bytes) -> None:
        if self._transport is not None and not self.lost.done():
            self._transport.write(frame)

    def _read_on(self) -> None:
        unread, take = self._unread, self._listener.take
        until = 0.0
        count = 0
        while unread:
            message = unread.popleft()
            if type(message) is int:
                done = min(message, SLICE_CHECK)
                if message > done:
                    unread.appendleft(message - done)
                self._take_done(done)
                count += done
            elif type(message) in _EVENTS:
                take(cast("Event", message))
                count += 1
            else:
                self._take_answer(cast("Answer", message))
                count += 1
            if count >= SLICE_CHECK:
                count = 0
                now = self._loop.time()
                until = until or now + SLICE_SECONDS
                if now > until:
                    self._read_on_later()
                    return

    def _take_done(self, count: int) -> None:
        """So many calls have been done."""
        next_waiting, take_own = self._waiting.popleft, self._listener.take_own
        for _ in range(count):
            waiting = next_waiting()
            if type(waiting) is tuple:
                future, call = waiting
                take_own(call, _DONE)
            else:
                future = cast("asyncio.Future[Any]", waiting)
            if not future.done():  # else who waited has gone
                future.set_result(_DONE)

    def _take_answer(self, answer: Answer) -> None:
        waiting = self._waiting.popleft()
        result: Answer | Published = answer
        if type(answer) is Position:
            result = Published(answer.offset, answer.epoch, answer.suppressed)
        if type(waiting) is tuple:
            future, call = waiting
            if type(result) is Published and not result.suppressed:
                self._listener.take_own(call, result)
        else:
            future = cast("asyncio.Future[Any]", waiting)
        if future.done():
            return
        if type(answer) is Refused:
            future.set_exception(EngineUnavailable(answer.reason))
        else:
            future.set_result(result)

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
        all_waiting, self._waiting = self._waiting, deque()
        for waiting in all_waiting:
            future = waiting[0] if type(waiting) is tuple else cast("asyncio.Future[Any]", waiting)
            if not future.done():
                future.set_exception(ConnectionLost(why))
        self.lost.set_result(ConnectionLost(why))


async def connect(path: str, hello: Hello, listener: Listener) -> EngineConnection:
    """Connect, and wait until the engine has answered. Raises `EngineUnavailable`. Needs a task."""
    connection = EngineConnection(listener)
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
