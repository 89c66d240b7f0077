"""A worker's connection to the engine's process: never waiting for anything itself, watched."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from fanjet.engines.interfaces import EngineUnavailable, Published
from fanjet.telemetry.logging import get_logger

from .journal import MOST_OF_PUBLICATION
from .messages import Answer, Call, Control, Done, Ping, Position, Refused, decode_answers
from .offset_table import MOST_PLACES
from .socket_framing import MOST_IN_FRAME, FrameReader, FrameWriter, MalformedFrame

if TYPE_CHECKING:
    from .messages import Publish, PublishJoin, PublishLeave

log = get_logger(__name__)

KEEPALIVE_SECONDS: Final = 0.4
TICKS_ALLOWED: Final = 10
"""Ticks of silence, one more than a ping has to be answered in: 4 s."""
MOST_UNSENT: Final = 64 * 1024 * 1024
"""Bytes that the socket may have to take; calls beyond that wait until the engine has read some of it."""
SLICE_SECONDS: Final = 0.002
"""Time for what comes until the loop gets its turn. What was read meanwhile waits, and nothing more is read."""
SLICE_CHECK: Final = 16
"""Messages between two looks at the clock."""
UNHEARD_SECONDS: Final = 0.001
"""Until another look whether all that happened before an answer has been heard."""
_DONE: Final = Published()


class ConnectionLost(EngineUnavailable):
    """The connection broke, or the engine fell silent; what was under way may have been done or not."""


class Listener(Protocol):
    """Takes what the engine tells, and tells and hears what happens."""

    def flush(self) -> bool:
        """Let all that happened here before the calls that are about to be sent stand in the journal; False if that has
        to wait."""

    def hear(self) -> bool:
        """Deliver all that happened before the answers that have come; False if that has to wait."""

    def take(self, control: Control, /) -> None:
        """A control message has come."""


class EngineConnection(asyncio.Protocol):
    """Calls made in one turn of the loop leave in one write; their answers come in the same order, each after what
    happened before it.

    After some silence it asks for a sign of life, and gives up when there is none: then, as when the connection breaks,
    every call under way fails with `ConnectionLost`. `lost` is done then.

    While the engine takes longer to read than others to send, calls wait, in their order.
    """

    def __init__(self, listener: Listener) -> None:
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[ConnectionLost] = self._loop.create_future()
        self._listener = listener
        self._refusal = ""
        """Why nothing can be sent now."""
        self._is_full = False
        self._held: deque[tuple[Call, int, asyncio.Future[Any], str]] = deque()
        """Calls that wait, as they are handed to `_issue`."""
        self.publishing: dict[str, int] = {}
        """How many calls that make an event have not been answered yet, by channel."""
        self.places: dict[str, Position] = {}
        """Where this worker may give the next offsets itself, by channel, as was answered last."""
        self._waiting: deque[tuple[asyncio.Future[Any], str]] = deque()
        """For the answers to come; with the channel, if the call makes an event."""
        self._reader: FrameReader[Done | Answer | Control] = FrameReader(decode_answers)
        self._writer = FrameWriter(self._loop, self._write, listener.flush)
        self._unread: deque[Done | Answer | Control] = deque()
        self._transport: asyncio.Transport | None = None
        self._silent_ticks = 0
        self._keepalive: asyncio.TimerHandle | None = None
        self._closed = asyncio.Event()

    def call(self, message: Call) -> asyncio.Future[Any]:
        """The answer to come, an empty `Published` for what is just done. Raises `EngineUnavailable`, here or when
        awaited."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._issue(message, MOST_IN_FRAME // 2, future, "")
        return future

    def publish(self, message: Publish | PublishJoin | PublishLeave) -> asyncio.Future[Published]:
        """The answer to a call that makes an event. Raises `EngineUnavailable` when awaited."""
        future: asyncio.Future[Published] = self._loop.create_future()
        try:
            self._issue(message, min(MOST_OF_PUBLICATION, MOST_IN_FRAME // 2), future, message.channel)
        except EngineUnavailable as error:
            future.set_exception(error)
        else:
            self.publishing[message.channel] = self.publishing.get(message.channel, 0) + 1
        return future

    def send(self, message: Call) -> asyncio.Future[Any]:
        """Call without caring for the answer to come. Raises as `call`."""
        answer = self.call(message)
        answer.add_done_callback(asyncio.Future.exception)
        return answer

    @property
    def silence(self) -> float:
        """Seconds since anything was heard, as far as rounds of the loop tell."""
        return self._silent_ticks * KEEPALIVE_SECONDS

    @property
    def is_ahead(self) -> bool:
        """Whether who has much to send had better wait for an answer."""
        return self._transport is not None and self._transport.get_write_buffer_size() > MOST_UNSENT // 16

    def close(self, why: str = "connection closed") -> None:
        """Break it off."""
        self._fail(why)

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
        if not self.lost.done():
            self._is_full = True
            self._refusal = self._refusal or "the engine takes too long to read what it is sent"

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._is_full = False
        if not self.lost.done():
            self._send_held()
            self._refusal = self._refusal if self._is_full else ""

    # ------------------------------------------------------------------------------------------ inside

    def _issue(self, message: Call, most: int, expected: asyncio.Future[Any], channel: str) -> None:
        """`most`: its bytes. `channel`: of what makes an event."""
        if self._is_full:
            self._held.append((message, most, expected, channel))  # who waits for the answer sends no more meanwhile
            return
        if self._refusal:
            raise ConnectionLost(self._refusal)
        self._send_now(message, most, expected, channel)

    def _send_now(self, message: Call, most: int, expected: asyncio.Future[Any], channel: str) -> None:
        size = self._writer.add_whole(message, most)
        if size > most:
            raise EngineUnavailable(f"a message of {size} bytes is too long for the engine")
        self._waiting.append((expected, channel))

    def _send_held(self) -> None:
        while self._held and not self._is_full:
            message, most, expected, channel = self._held.popleft()
            try:
                self._send_now(message, most, expected, channel)
            except Exception as error:  # whatever it is that cannot be sent
                self._note_end(channel)
                if not expected.done():
                    expected.set_exception(error)

    def _note_end(self, channel: str) -> None:
        """Of a call that makes an event, if there is a channel."""
        if channel:
            left = self.publishing.pop(channel) - 1
            if left:
                self.publishing[channel] = left

    def _write(self, frame: bytes) -> None:
        if self._transport is not None and not self.lost.done():
            self._transport.write(frame)

    def _read_on(self) -> None:
        unread, listener = self._unread, self._listener
        until = 0.0
        count = 0
        if not listener.hear():
            self._read_on_later(UNHEARD_SECONDS)
            return
        while unread:
            message = unread.popleft()
            if type(message) is int:
                done = min(message, SLICE_CHECK)
                if message > done:
                    unread.appendleft(message - done)
                for _ in range(done):
                    self._take_answer(_DONE)
                count += done
            elif type(message) is Control:
                listener.take(message)
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

    def _take_answer(self, answer: Answer | Published) -> None:
        waiting, channel = self._waiting.popleft()
        self._note_end(channel)
        if waiting.done():  # who waited has gone
            return
        if type(answer) is Position:
            if answer.generation:
                self._note_place(channel, answer)
            waiting.set_result(Published(answer.offset, answer.epoch, answer.suppressed))
        elif type(answer) is Refused:
            waiting.set_exception(EngineUnavailable(answer.reason))
        else:
            waiting.set_result(answer)

    def _note_place(self, channel: str, answer: Position) -> None:
        if len(self.places) > MOST_PLACES:  # most of them are of streams that are gone
            self.places.clear()
        self.places[channel] = answer

    def _read_on_later(self, seconds: float = 0) -> None:
        if self._transport is not None and not self.lost.done():
            self._transport.pause_reading()
            self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        if self._transport is not None and not self.lost.done():
            self._silent_ticks = 0
            self._transport.resume_reading()
            self._read_on()

    def _tick(self) -> None:
        """Counts rounds of the loop, not seconds: after a pause of our own, what came meanwhile is read first."""
        self._keepalive = self._loop.call_later(KEEPALIVE_SECONDS, self._tick)
        self._silent_ticks += 1
        self._listener.hear()  # who called may have died before it rang
        if self._silent_ticks > TICKS_ALLOWED:
            self._fail("the engine does not answer")
        elif self._silent_ticks == 1 and not self._refusal:
            self.send(Ping())

    def _fail(self, why: str) -> None:
        if self.lost.done():
            return
        self._refusal = why
        self._is_full = False
        if self._keepalive is not None:
            self._keepalive.cancel()
        if self._transport is not None:
            self._transport.abort()
        self._unread.clear()
        all_waiting = [future for future, _ in self._waiting] + [future for _, _, future, _ in self._held]
        self._waiting.clear()
        self._held.clear()
        self.publishing.clear()
        self.places.clear()
        for future in all_waiting:
            if not future.done():
                future.set_exception(ConnectionLost(why))
        self.lost.set_result(ConnectionLost(why))
