"""The engine's end of the connection of one worker."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, cast

from fanjet.telemetry.logging import get_logger

from .journal import Busy
from .messages import Position, Refused, decode_calls
from .socket_framing import MAX_FRAME, FrameReader, FrameWriter, MalformedFrame

if TYPE_CHECKING:
    from .engine import Engine
    from .messages import Call, Hello, ReaderSlot, Reply

log = get_logger(__name__)

WRITE_HIGH_WATER: Final = 1024 * 1024
"""Unsent bytes beyond which no more calls of the worker are executed."""
MAX_UNSENT: Final = 64 * 1024 * 1024
"""Unsent bytes beyond which the worker is dropped."""
SLICE_SECONDS: Final = 0.002
"""Time for the calls of one worker within one turn of the event loop."""
SLICE_CHECK: Final = 16
"""Calls between two readings of the clock."""
BUSY_SECONDS: Final = 0.001
"""Pause until the journal is likely to be free."""


class WorkerConnection(asyncio.Protocol):
    """The engine's end of the connection of one worker.

    Executes calls and replies in order. Replies are sent after the events of the calls have been appended to the
    journal. The replies of one event loop turn are sent with one write.

    While a worker does not read its replies, its calls are not read. A worker that does not read its messages is
    dropped when too many bytes are unsent; it then connects again.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._reader: FrameReader[Call] = FrameReader(decode_calls)
        self._writer = FrameWriter(self._loop, self._write, engine.flush)
        self._calls: deque[Call] = deque()
        self._transport: asyncio.Transport | None = None
        self._write_paused = False
        """Whether the worker does not read fast enough."""
        self._read_paused = False
        """Whether no calls are read."""
        self._dropped = False
        self.hello: Hello | None = None
        self.reader_slot: ReaderSlot | None = None
        self.presence_entries: set[tuple[str, str]] = set()
        self.send = self._writer.add

    @property
    def has_replies(self) -> bool:
        """See `Worker`."""
        return self._writer.has_messages

    def drop(self, reason: str) -> None:
        """See `Worker`."""
        if self._dropped or self._transport is None:
            return
        self._dropped = True
        node = "" if self.hello is None else self.hello.node
        log.warn("dropping a worker", node=node, reason=reason)
        self._transport.abort()

    # ------------------------------------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)
        self._engine.on_connected(self)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        try:
            self._calls += self._reader.feed(data)
        except MalformedFrame as error:
            self.drop(f"malformed call: {error}")
        else:
            self._process()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._dropped = True
        self._calls.clear()
        self._engine.on_disconnected(self)

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._write_paused = False
        self._loop.call_soon(self._process)

    # ------------------------------------------------------------------------------------------ inside

    def _process(self) -> None:
        """Execute the waiting calls for up to `SLICE_SECONDS`."""
        calls, send = self._calls, self.send
        until = 0.0
        done = 0
        is_busy = False
        while calls and not self._write_paused and not self._dropped:
            for _ in range(min(len(calls), SLICE_CHECK)):
                try:
                    reply = self._engine.execute(self, calls[0])
                except Busy:
                    is_busy = True
                    break
                calls.popleft()
                if reply is None:
                    done += 1
                    continue
                if done:
                    send(done)
                    done = 0
                self._reply(reply)
                if self._write_paused:
                    break
            if is_busy:
                self._loop.call_later(BUSY_SECONDS, self._process)
                break
            if not calls:
                break
            now = self._loop.time()
            until = until or now + SLICE_SECONDS
            if now > until:
                self._loop.call_soon(self._process)
                break
        if done:
            send(done)
        if calls or self._read_paused:
            self._pause_reading(bool(calls))

    def _reply(self, reply: Reply) -> None:
        if type(reply) is Position:
            self.send(reply)
        else:
            self._reply_encoded(reply)

    def _reply_encoded(self, reply: Reply) -> None:
        size = self._writer.add_encoded(reply, MAX_FRAME // 2)
        if size > MAX_FRAME // 2:
            self.send(Refused(f"an answer of {size} bytes is too long"))

    def _pause_reading(self, paused: bool) -> None:
        if self._transport is None or self._dropped:
            return
        self._read_paused = paused
        if paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _write(self, frame: bytes) -> None:
        if self._transport is None or self._dropped:
            return
        self._transport.write(frame)
        if self._write_paused and self._transport.get_write_buffer_size() > MAX_UNSENT:
            self.drop("it does not read")
