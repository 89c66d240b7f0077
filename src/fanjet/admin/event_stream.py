"""A streaming response with one JSON event per line (10 I.2)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.net.http1 import Exchange, ResponseStream

TICK_SECONDS: Final = 0.5
TICKS_PER_HEARTBEAT: Final = 40
"""A line `null` every 20 s, so that proxies do not close an idle stream."""
NDJSON: Final = b"application/x-ndjson"
_HEADERS: Final = ((b"Cache-Control", b"no-store"), (b"X-Accel-Buffering", b"no"))


def event_line(kind: str, content: Any, **fields: object) -> bytes:
    """Encode an event as one line.

    It has its `type`, the time in Unix milliseconds, further fields, and its content under the name of its type.
    """
    event = {"type": kind, "time": int(time.time() * 1000), **fields, kind: content}
    return msgspec.json.encode(event).replace(b"\n", b"") + b"\n"


class EventStream:
    """Writes events without ever waiting for the reader.

    Events for a slow reader are dropped and counted.
    """

    def __init__(self, exchange: Exchange, *, is_shutting_down: Callable[[], bool]) -> None:
        """Create a stream that ends when `is_shutting_down` returns True.

        The function is polled on every tick.
        """
        self._framing = exchange.body_framing
        self._stream: ResponseStream | None = exchange.stream(200, self, NDJSON, _HEADERS)
        self._is_shutting_down = is_shutting_down
        self._blocked = False
        self._dropped = 0
        self._ticks = 0
        self._timer: asyncio.TimerHandle | None = None
        self._on_tick: list[Callable[[], None]] = []
        self._on_end: list[Callable[[], None]] = []
        if self._stream is not None:
            self._write(b"null\n")  # the head is sent with the first piece of the body
            self._schedule_tick()

    @property
    def open(self) -> bool:
        """Whether the reader is connected."""
        return self._stream is not None

    def on_tick(self, callback: Callable[[], None]) -> None:
        """Call `callback` every half a second."""
        self._on_tick.append(callback)

    def on_end(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when the stream ends: at once if it has ended."""
        if self.open:
            self._on_end.append(callback)
        else:
            callback()

    def emit(self, kind: str, content: Any, **fields: object) -> None:
        """Write an event; see `event_line`."""
        self.write_line(event_line(kind, content, **fields))

    def write_line(self, line: bytes) -> None:
        """Write an encoded event."""
        if self._blocked:
            self._dropped += 1
        else:
            self._write(line)

    def finish(self) -> None:
        """End the stream."""
        stream = self._detach()
        if stream is not None:
            stream.finish()

    # Callbacks of the response body.

    def on_blocked(self) -> None:
        """The write buffer is full."""
        self._blocked = True

    def on_writable(self) -> None:
        """The write buffer has drained."""
        self._blocked = False
        dropped, self._dropped = self._dropped, 0
        if dropped:
            self.emit("lost", {"events": dropped})

    def on_lost(self) -> None:
        """The connection is lost."""
        self._detach()

    def _write(self, data: bytes) -> None:
        if self._stream is not None:
            self._stream.write(self._framing(data))

    def _schedule_tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        if self._is_shutting_down():
            self.finish()
            return
        self._schedule_tick()
        self._ticks += 1
        if self._ticks % TICKS_PER_HEARTBEAT == 0 and not self._blocked:
            self._write(b"null\n")
        for callback in self._on_tick:
            callback()

    def _detach(self) -> ResponseStream | None:
        stream, self._stream = self._stream, None
        if self._timer is not None:
            self._timer.cancel()
        on_end, self._on_end, self._on_tick = self._on_end, [], []
        for callback in on_end:
            callback()
        return stream
