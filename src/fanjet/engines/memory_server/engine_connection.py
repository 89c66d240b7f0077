"""A worker's connection to the engine's process, with keepalive."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from fanjet.engines.interfaces import EngineUnavailable, Published
from fanjet.telemetry.logging import get_logger

from .journal import MAX_PUBLICATION
from .messages import Call, Control, Done, Ping, Position, Refused, Reply, decode_replies
from .offset_table import MAX_OFFSET_SLOTS
from .socket_framing import MAX_FRAME, FrameReader, FrameWriter, MalformedFrame

if TYPE_CHECKING:
    from .messages import Publish, PublishJoin, PublishLeave

log = get_logger(__name__)

KEEPALIVE_SECONDS: Final = 0.4
MAX_SILENT_TICKS: Final = 10
"""Ticks without data, one more than a ping may take: 4 s."""
MAX_UNSENT: Final = 64 * 1024 * 1024
"""Unsent bytes beyond which calls are queued until the engine has read some of them."""
SLICE_SECONDS: Final = 0.002
"""Time for processing messages within one turn of the event loop. Then the others wait, and nothing more is read."""
SLICE_CHECK: Final = 16
"""Messages between two readings of the clock."""
SYNC_RETRY_SECONDS: Final = 0.001
"""Pause before another attempt to receive the events that precede a reply."""
_DONE: Final = Published()


class ConnectionLost(EngineUnavailable):
    """The connection broke, or the engine did not reply in time.

    Pending calls may have been executed or not.
    """


class ConnectionHandler(Protocol):
    """Receives control messages, and synchronises calls and replies with the journal."""

    def flush(self) -> bool:
        """Append all events that precede the calls about to be sent.

        False if the journal is busy.
        """

    def receive(self) -> bool:
        """Deliver all events that precede the received replies; False if that has to wait."""

    def on_control_message(self, control: Control, /) -> None:
        """A control message has been received."""


class EngineConnection(asyncio.Protocol):
    """The calls of one event loop turn are sent with one write.

    Replies come in the same order, each after the events that precede it.

    When nothing is received for a while, it sends a ping. When that has no reply in time, or the connection breaks,
    every pending call fails with `ConnectionLost`, and `lost` is done.

    While the engine does not read fast enough, calls are queued in order.
    """

    def __init__(self, handler: ConnectionHandler) -> None:
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[ConnectionLost] = self._loop.create_future()
        self._handler = handler
        self._send_error = ""
        """Why nothing can be sent now, if so."""
        self._is_write_paused = False
        self._queued_calls: deque[tuple[Call, int, asyncio.Future[Any], str]] = deque()
        """Arguments of `_submit` for the queued calls."""
        self.pending_publishes: dict[str, int] = {}
        """Numbers of pending calls that cause an event, by channel."""
        self.offset_slots: dict[str, Position] = {}
        """Where this worker may assign the next offsets itself, by channel: the latest replies."""
        self._pending_replies: deque[tuple[asyncio.Future[Any], str]] = deque()
        """Futures of the pending calls; with the channel, if the call causes an event."""
        self._reader: FrameReader[Done | Reply | Control] = FrameReader(decode_replies)
        self._writer = FrameWriter(self._loop, self._write, handler.flush)
        self._unprocessed: deque[Done | Reply | Control] = deque()
        self._transport: asyncio.Transport | None = None
        self._silent_ticks = 0
        self._keepalive: asyncio.TimerHandle | None = None
        self._closed = asyncio.Event()

    def call(self, message: Call) -> asyncio.Future[Any]:
        """Send a call; the result is its reply, an empty `Published` for `Done`.

        Raises `EngineUnavailable`, here or when awaited.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        self._submit(message, MAX_FRAME // 2, future, "")
        return future

    def publish(self, message: Publish | PublishJoin | PublishLeave) -> asyncio.Future[Published]:
        """Send a call that causes an event. Raises `EngineUnavailable` when awaited."""
        future: asyncio.Future[Published] = self._loop.create_future()
        try:
            self._submit(message, min(MAX_PUBLICATION, MAX_FRAME // 2), future, message.channel)
        except EngineUnavailable as error:
            future.set_exception(error)
        else:
            self.pending_publishes[message.channel] = self.pending_publishes.get(message.channel, 0) + 1
        return future

    def send(self, message: Call) -> asyncio.Future[Any]:
        """Send a call whose failure is ignored. Raises as `call`."""
        reply = self.call(message)
        reply.add_done_callback(asyncio.Future.exception)
        return reply

    @property
    def silence(self) -> float:
        """Seconds since data was received, counted in ticks."""
        return self._silent_ticks * KEEPALIVE_SECONDS

    @property
    def is_congested(self) -> bool:
        """Whether a caller with many calls should wait for a reply."""
        return self._transport is not None and self._transport.get_write_buffer_size() > MAX_UNSENT // 16

    def close(self, reason: str = "connection closed") -> None:
        """Abort the connection."""
        self._fail(reason)

    async def wait_closed(self) -> None:
        """Abort the connection, and wait until its socket is closed."""
        self.close()
        if self._transport is not None:
            await self._closed.wait()

    # ------------------------------------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=MAX_UNSENT)
        self._keepalive = self._loop.call_later(KEEPALIVE_SECONDS, self._tick)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._silent_ticks = 0
        try:
            self._unprocessed += self._reader.feed(data)
        except MalformedFrame as error:
            self._fail(f"malformed reply: {error}")
        else:
            self._process()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._fail(f"connection lost: {exc or 'closed by the engine'}")
        self._closed.set()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        if not self.lost.done():
            self._is_write_paused = True
            self._send_error = self._send_error or "the engine reads too slowly"

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._is_write_paused = False
        if not self.lost.done():
            self._send_queued()
            self._send_error = self._send_error if self._is_write_paused else ""

    # ------------------------------------------------------------------------------------------ inside

    def _submit(self, message: Call, limit: int, expected: asyncio.Future[Any], channel: str) -> None:
        """`limit`: of the size in bytes. `channel`: set if the call causes an event."""
        if self._is_write_paused:
            self._queued_calls.append(
                (message, limit, expected, channel)
            )  # callers that await the reply send no more meanwhile
            return
        if self._send_error:
            raise ConnectionLost(self._send_error)
        self._send_now(message, limit, expected, channel)

    def _send_now(self, message: Call, limit: int, expected: asyncio.Future[Any], channel: str) -> None:
        size = self._writer.add_encoded(message, limit)
        if size > limit:
            raise EngineUnavailable(f"a message of {size} bytes is too long for the engine")
        self._pending_replies.append((expected, channel))

    def _send_queued(self) -> None:
        while self._queued_calls and not self._is_write_paused:
            message, limit, expected, channel = self._queued_calls.popleft()
            try:
                self._send_now(message, limit, expected, channel)
            except Exception as error:  # of encoding as well
                self._finish_publish(channel)
                if not expected.done():
                    expected.set_exception(error)

    def _finish_publish(self, channel: str) -> None:
        """A call that causes an event in this channel, if any, has ended."""
        if channel:
            left = self.pending_publishes.pop(channel) - 1
            if left:
                self.pending_publishes[channel] = left

    def _write(self, frame: bytes) -> None:
        if self._transport is not None and not self.lost.done():
            self._transport.write(frame)

    def _process(self) -> None:
        unread, handler = self._unprocessed, self._handler
        until = 0.0
        count = 0
        if not handler.receive():
            self._process_later(SYNC_RETRY_SECONDS)
            return
        while unread:
            message = unread.popleft()
            if type(message) is int:
                done = min(message, SLICE_CHECK)
                if message > done:
                    unread.appendleft(message - done)
                for _ in range(done):
                    self._resolve(_DONE)
                count += done
            elif type(message) is Control:
                handler.on_control_message(message)
                count += 1
            else:
                self._resolve(cast("Reply", message))
                count += 1
            if count >= SLICE_CHECK:
                count = 0
                now = self._loop.time()
                until = until or now + SLICE_SECONDS
                if now > until:
                    self._process_later()
                    return

    def _resolve(self, reply: Reply | Published) -> None:
        waiting, channel = self._pending_replies.popleft()
        self._finish_publish(channel)
        if waiting.done():  # the caller was cancelled
            return
        if type(reply) is Position:
            if reply.generation:
                self._remember_slot(channel, reply)
            waiting.set_result(Published(reply.offset, reply.epoch, reply.suppressed))
        elif type(reply) is Refused:
            waiting.set_exception(EngineUnavailable(reply.reason))
        else:
            waiting.set_result(reply)

    def _remember_slot(self, channel: str, reply: Position) -> None:
        if len(self.offset_slots) > MAX_OFFSET_SLOTS:  # most of their streams have been removed
            self.offset_slots.clear()
        self.offset_slots[channel] = reply

    def _process_later(self, seconds: float = 0) -> None:
        if self._transport is not None and not self.lost.done():
            self._transport.pause_reading()
            self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        if self._transport is not None and not self.lost.done():
            self._silent_ticks = 0
            self._transport.resume_reading()
            self._process()

    def _tick(self) -> None:
        """Send a heartbeat, or fail after too long a silence.

        Counts ticks, not seconds: after a pause of this process, the data received meanwhile is read first.
        """
        self._keepalive = self._loop.call_later(KEEPALIVE_SECONDS, self._tick)
        self._silent_ticks += 1
        self._handler.receive()  # a writer may have died between marking and notifying this worker
        if self._silent_ticks > MAX_SILENT_TICKS:
            self._fail("the engine does not answer")
        elif self._silent_ticks == 1 and not self._send_error:
            self.send(Ping())

    def _fail(self, reason: str) -> None:
        if self.lost.done():
            return
        self._send_error = reason
        self._is_write_paused = False
        if self._keepalive is not None:
            self._keepalive.cancel()
        if self._transport is not None:
            self._transport.abort()
        self._unprocessed.clear()
        all_waiting = [future for future, _ in self._pending_replies] + [
            future for _, _, future, _ in self._queued_calls
        ]
        self._pending_replies.clear()
        self._queued_calls.clear()
        self.pending_publishes.clear()
        self.offset_slots.clear()
        for future in all_waiting:
            if not future.done():
                future.set_exception(ConnectionLost(reason))
        self.lost.set_result(ConnectionLost(reason))
