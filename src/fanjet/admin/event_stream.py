"""A response that goes on: one event a line, for as long as somebody reads (10 I.2)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.net.http1 import Exchange, ResponseStream

TICK_SECONDS: Final = 0.5
TICKS_PER_SIGN_OF_LIFE: Final = 40
"""Every 20 s a line `null`, so that proxies do not take the stream for dead."""
NDJSON: Final = b"application/x-ndjson"
_HEADERS: Final = ((b"Cache-Control", b"no-store"), (b"X-Accel-Buffering", b"no"))


def event_line(kind: str, content: Any, **about: object) -> bytes:
    """An event: its `type`, the time in Unix milliseconds, what it is about, and its content under the name of its
    type."""
    event = {"type": kind, "time": int(time.time() * 1000), **about, kind: content}
    return msgspec.json.encode(event).replace(b"\n", b"") + b"\n"


class EventStream:
    """Writes events. Who reads too slowly loses some, and is told how many: nobody waits for a trace."""

    def __init__(self, exchange: Exchange, *, ended: Callable[[], bool]) -> None:
        """`ended` is asked all the time whether the server is going down, which ends the stream."""
        self._framing = exchange.body_framing
        self._stream: ResponseStream | None = exchange.stream(200, self, NDJSON, _HEADERS)
        self._ended = ended
        self._blocked = False
        self._lost = 0
        self._ticks = 0
        self._timer: asyncio.TimerHandle | None = None
        self._on_tick: list[Callable[[], None]] = []
        self._on_end: list[Callable[[], None]] = []
        if self._stream is not None:
            self._write(b"null\n")  # the head is sent with the first piece of the body
            self._tick_later()

    @property
    def open(self) -> bool:
        """Whether somebody reads."""
        return self._stream is not None

    def on_tick(self, call: Callable[[], None]) -> None:
        """Call this every half a second."""
        self._on_tick.append(call)

    def on_end(self, call: Callable[[], None]) -> None:
        """Call this once, when nobody reads any more: now, if that is so."""
        if self.open:
            self._on_end.append(call)
        else:
            call()

    def tell(self, kind: str, content: Any, **about: object) -> None:
        """Write an event; see `event_line`."""
        self.pass_on(event_line(kind, content, **about))

    def pass_on(self, line: bytes) -> None:
        """Write an event that is a line already."""
        if self._blocked:
            self._lost += 1
        else:
            self._write(line)

    def finish(self) -> None:
        """End the stream."""
        stream = self._let_go()
        if stream is not None:
            stream.finish()

    # What the body reports.

    def on_blocked(self) -> None:
        """The reader is slow."""
        self._blocked = True

    def on_writable(self) -> None:
        """The reader has caught up."""
        self._blocked = False
        lost, self._lost = self._lost, 0
        if lost:
            self.tell("lost", {"events": lost})

    def on_lost(self) -> None:
        """The reader has gone."""
        self._let_go()

    def _write(self, data: bytes) -> None:
        if self._stream is not None:
            self._stream.write(self._framing(data))

    def _tick_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        if self._ended():
            self.finish()
            return
        self._tick_later()
        self._ticks += 1
        if self._ticks % TICKS_PER_SIGN_OF_LIFE == 0 and not self._blocked:
            self._write(b"null\n")
        for call in self._on_tick:
            call()

    def _let_go(self) -> ResponseStream | None:
        stream, self._stream = self._stream, None
        if self._timer is not None:
            self._timer.cancel()
        on_end, self._on_end, self._on_tick = self._on_end, [], []
        for call in on_end:
            call()
        return stream
