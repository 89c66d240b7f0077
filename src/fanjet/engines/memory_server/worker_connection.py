"""The connection of one worker, seen from the engine's process."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, cast

from fanjet.telemetry.logging import get_logger

from .journal import Busy
from .messages import Position, Refused, decode_calls
from .socket_framing import MOST_IN_FRAME, FrameReader, FrameWriter, MalformedFrame

if TYPE_CHECKING:
    from .engine import Engine
    from .messages import Answer, Call, Hello, Seat

log = get_logger(__name__)

ENOUGH_UNSENT: Final = 1024 * 1024
"""Bytes that wait for a worker; beyond that no call of its own adds to them."""
MOST_UNSENT: Final = 64 * 1024 * 1024
"""Bytes beyond which a worker is dropped."""
SLICE_SECONDS: Final = 0.002
"""Time for the calls of one worker until others get their turn."""
SLICE_CHECK: Final = 16
"""Calls between two looks at the clock."""
BUSY_SECONDS: Final = 0.001
"""Until the journal is likely to be free."""


class WorkerConnection(asyncio.Protocol):
    """Takes calls and answers them in order, once what comes of them stands in the journal. The answers of one turn of
    the loop leave in one write.

    Who does not read what it asked for is not read from; who does not read at all is dropped when too much waits, and
    starts anew with another connection.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._reader: FrameReader[Call] = FrameReader(decode_calls)
        self._writer = FrameWriter(self._loop, self._write, engine.flush)
        self._calls: deque[Call] = deque()
        self._transport: asyncio.Transport | None = None
        self._stalled = False
        """Whether it does not read."""
        self._paused = False
        """Whether it is not read from."""
        self._dropped = False
        self.introduction: Hello | None = None
        self.seat: Seat | None = None
        self.present: set[tuple[str, str]] = set()
        self.tell = self._writer.add

    @property
    def is_answering(self) -> bool:
        """See `Worker`."""
        return self._writer.has_messages

    def drop(self, why: str) -> None:
        """See `Worker`."""
        if self._dropped or self._transport is None:
            return
        self._dropped = True
        node = "" if self.introduction is None else self.introduction.node
        log.warn("dropping a worker", node=node, reason=why)
        self._transport.abort()

    # ------------------------------------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=ENOUGH_UNSENT)
        self._engine.meet(self)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        try:
            self._calls += self._reader.feed(data)
        except MalformedFrame as error:
            self.drop(f"not what a worker should say: {error}")
        else:
            self._work()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._dropped = True
        self._calls.clear()
        self._engine.forget(self)

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._stalled = True

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._stalled = False
        self._loop.call_soon(self._work)

    # ------------------------------------------------------------------------------------------ inside

    def _work(self) -> None:
        """Carry out what there is, for a while."""
        calls, tell = self._calls, self.tell
        until = 0.0
        done = 0
        is_busy = False
        while calls and not self._stalled and not self._dropped:
            for _ in range(min(len(calls), SLICE_CHECK)):
                try:
                    answer = self._engine.carry_out(self, calls[0])
                except Busy:
                    is_busy = True
                    break
                calls.popleft()
                if answer is None:
                    done += 1
                    continue
                if done:
                    tell(done)
                    done = 0
                self._answer(answer)
                if self._stalled:
                    break
            if is_busy:
                self._loop.call_later(BUSY_SECONDS, self._work)
                break
            if not calls:
                break
            now = self._loop.time()
            until = until or now + SLICE_SECONDS
            if now > until:
                self._loop.call_soon(self._work)
                break
        if done:
            tell(done)
        if calls or self._paused:
            self._pause_reading(bool(calls))

    def _answer(self, answer: Answer) -> None:
        if type(answer) is Position:
            self.tell(answer)
        else:
            self._answer_at_length(answer)

    def _answer_at_length(self, answer: Answer) -> None:
        size = self._writer.add_whole(answer, MOST_IN_FRAME // 2)
        if size > MOST_IN_FRAME // 2:
            self.tell(Refused(f"an answer of {size} bytes is too long"))

    def _pause_reading(self, paused: bool) -> None:
        if self._transport is None or self._dropped:
            return
        self._paused = paused
        if paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _write(self, frame: bytes) -> None:
        if self._transport is None or self._dropped:
            return
        self._transport.write(frame)
        if self._stalled and self._transport.get_write_buffer_size() > MOST_UNSENT:
            self.drop("it does not read")
