"""The WebSocket protocol on a socket after the handshake."""

import asyncio
from enum import IntEnum
from os import write as write_to
from typing import Final

from ..direct_write import NO_DESCRIPTOR, descriptor_of
from ..timing_wheel import NOT_SCHEDULED, TimingWheel
from .frames import BINARY, CLOSE, FIN, PING, TEXT, close_echo_frame, close_frame, ping_frame, pong_frame
from .masking import apply_mask
from .reader import FRAMES_PER_TURN, MASKED, CorruptMessage, FrameReader, ProtocolFailure, ReadLimits

CLOSE_FRAME_WRITE_SECONDS: Final = 1.0
PEER_CLOSE_SECONDS: Final = 5.0
LINGER_SECONDS: Final = 1.0

_PING: Final = ping_frame()
_WHOLE: Final = frozenset({FIN | TEXT, FIN | BINARY})
"""First bytes of single-frame messages."""
_SHORT: Final = MASKED - 6
"""Second byte of a short frame, less the frame's size."""
_MEDIUM: Final = MASKED | 126
"""Second byte of a frame with a 16-bit length."""
_INVALID_DATA: Final = 1007


class _State(IntEnum):
    OPEN = 0
    CLOSING = 1  # our close frame is written, the peer's is awaited
    DROPPING = 2  # ends without a close frame of ours after a while
    ENDED = 3  # nothing is read any more; what was written may still be on its way
    LOST = 4


# Read from its class, a member costs some 850 instructions on Python 3.11, which every frame would pay several times.
_OPEN, _CLOSING, _DROPPING, _ENDED, _LOST = _State


class WebSocketConnection(asyncio.Protocol):
    """One WebSocket, server side.

    Subclass it and override the `on_` methods; when idle it has no reader, timer or task.

    The connection is itself the item in `wheel`, only while it is closing.
    """

    __slots__ = (
        "_blocked",
        "_delivering",
        "_descriptor",
        "_gone",
        "_inflate",
        "_limits",
        "_paused",
        "_pong",
        "_reader",
        "_state",
        "_transport_paused",
        "_wheel",
        "transport",
        "wheel_slot",
    )

    transport: asyncio.Transport
    """The socket; prepared frames may be written to it directly while the connection is open."""

    def __init__(self, wheel: TimingWheel, limits: ReadLimits, *, inflate: bool = False) -> None:
        self._wheel = wheel
        self._limits = limits
        self._inflate = inflate
        self._reader: FrameReader | None = None  # only while incomplete or undelivered messages are buffered
        self._state = _OPEN
        self._paused = False
        self._transport_paused = False
        self._delivering = False
        self._descriptor = NO_DESCRIPTOR
        self._blocked = False
        self._gone = False
        self._pong: bytes | None = None
        self.wheel_slot = NOT_SCHEDULED

    @property
    def peer(self) -> str:
        """The remote address without port; empty for a Unix socket."""
        address = self.transport.get_extra_info("peername")
        return address[0] if isinstance(address, tuple) else ""

    # Overridden by subclasses.

    def on_message(self, payload: bytes) -> None:
        """A message was received.

        Called in order; not while reading is paused, except for messages received before the client disconnected, and
        not after `close`, `drop` or `abort`.
        """

    def on_corrupt_message(self) -> None:
        """A message cannot be decompressed. By default closes with 1007."""
        self.close(_INVALID_DATA, "")

    def on_pong_frame(self, payload: bytes) -> None:
        """A pong frame was received, solicited or not."""

    def on_close_sent(self, code: int) -> None:
        """The server has initiated the closing handshake with this code."""

    def on_before_close(self) -> None:
        """A close frame is about to be written in response to the client.

        Nothing can be written after it.
        """

    def on_connection_closed(self) -> None:
        """The connection has ended; called exactly once, in every case.

        At once if the client ended it (a close frame, end of stream, an error) or violated the protocol; after `close`,
        `drop` and `abort` when they have finished.
        """

    def on_blocked(self) -> None:
        """Pause writing until `on_writable`: the kernel's send buffer is full.

        With TLS, 64 KiB are buffered.
        """

    def on_writable(self) -> None:
        """Everything written was sent."""

    # Called by subclasses.

    def write(self, data: bytes) -> None:
        """Write prepared frames; ignored unless the connection is open."""
        if self._state is not _OPEN:
            return
        if self._blocked or self._descriptor < 0:
            self.transport.write(data)
            return
        try:
            written = write_to(self._descriptor, data)
        except OSError:  # would block, or broken: the transport will detect and report it
            written = 0
        if written < len(data):
            self.transport.write(data[written:])

    def send_ping_frame(self) -> None:
        """Send a ping frame without payload; ignored unless the connection is open."""
        if self._state is _OPEN:
            self.transport.write(_PING)

    def close(self, code: int, reason: str) -> None:
        """Send a close frame, wait 5 s for the client's, then close the socket.

        If the socket does not accept the close frame within 1 s, the connection is aborted. Input is discarded
        meanwhile. Ignored unless the connection is open or about to be dropped.
        """
        if self._state is not _OPEN and self._state is not _DROPPING:
            return
        self._state = _CLOSING
        self.transport.write(close_frame(code, reason))
        self.on_close_sent(code)
        self._wait(CLOSE_FRAME_WRITE_SECONDS if self._blocked else PEER_CLOSE_SECONDS)
        self.resume_reading()

    def drop(self, after: float = 0.0) -> None:
        """Close the socket without a close frame.

        It is closed after `after` seconds or when the client closes. Input is discarded meanwhile. Ignored unless the
        connection is open.
        """
        if self._state is not _OPEN:
            return
        if after <= 0:
            self._end()
            return
        self._state = _DROPPING
        self._wait(after)
        self.resume_reading()

    def abort(self) -> None:
        """Abort the connection, discarding unsent data."""
        if self._state is not _LOST:
            self._state = _ENDED
            self.transport.abort()

    def pause_reading(self) -> None:
        """Stop delivering messages.

        Received data, and what arrives until the kernel's buffer is full, is kept.
        """
        self._paused = True

    def resume_reading(self) -> None:
        """Deliver the kept messages in order, and continue reading."""
        self._paused = False
        if self._delivering:
            return  # called from within on_message: the calling loop continues
        if self._reader is not None:
            self._deliver(self._reader)
        elif self._transport_paused:
            self._resume_transport()

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the socket."""
        self.transport = transport  # type: ignore[assignment]  # a cast is a call
        if transport.get_extra_info("sslcontext") is None:
            # At 0 the kernel's buffer alone decides; TLS transports would report a pause at every write.
            self.transport.set_write_buffer_limits(high=0)
            self._descriptor = descriptor_of(transport)

    def data_received(self, data: bytes) -> None:
        """Deliver the complete messages."""
        reader = self._reader
        if reader is None and self._state is _OPEN and not self._paused:
            # Nearly every read is one complete message in one masked frame, of less than 64 KiB.
            size, first = len(data), data[0]
            if size < 132:
                start = 6 if size >= 6 and data[1] - size == _SHORT else 0
            else:
                start = 8 if data[1] == _MEDIUM and data[2] << 8 | data[3] == size - 8 else 0
            if start and first in _WHOLE:
                limit = self._limits.message
                if limit is None or size - start <= limit:
                    self.on_message(apply_mask(data[start:], data[start - 4 : start]))
                    return
        if self._state >= _ENDED:
            return
        if reader is None:
            reader = self._reader = FrameReader(self._limits, inflate=self._inflate)
        reader.feed(data)
        if not self._delivering:
            self._deliver(reader)

    def eof_received(self) -> bool | None:
        """The peer will send no more, which ends a WebSocket."""
        self._deliver_rest()
        self._end()
        self._report_closed()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._deliver_rest()
        self._state = _LOST
        self._wheel.cancel(self)
        self._reader = None
        self._report_closed()

    def pause_writing(self) -> None:
        """The kernel's send buffer is full."""
        self._blocked = True
        if self._state is _OPEN:
            self.on_blocked()

    def resume_writing(self) -> None:
        """The send buffer has drained."""
        self._blocked = False
        if self._state is _CLOSING:
            self._wait(PEER_CLOSE_SECONDS)
        elif self._state is _OPEN:
            if self._pong is not None:
                self._answer_ping(self._pong)
            self.on_writable()

    def on_timer(self, now: float) -> None:
        """The closing timeout has expired."""
        if self._blocked or self.transport.is_closing():
            self.abort()
        else:
            self._end()

    # Internals.

    def _deliver(self, reader: FrameReader) -> None:
        had_turn = reader.frames_left > 0
        self._delivering = True
        try:
            while self._state < _ENDED and not self._paused and self._deliver_one(reader):
                pass
        finally:
            self._delivering = False
        turn_is_over = False
        if self._state >= _ENDED or reader.is_idle:
            self._reader = None
        elif not reader.frames_left:
            turn_is_over = True
            if had_turn:
                asyncio.get_running_loop().call_soon(self._next_turn)
        if not (self._paused or turn_is_over):
            self._resume_transport()
        elif reader.has_bytes and not self._transport_paused and self._state < _ENDED:
            # Only now: most pauses end before anything else is received, and then cost no system call.
            self._transport_paused = True
            self.transport.pause_reading()

    def _deliver_rest(self) -> None:
        """Deliver what was received before the end, paused or not.

        No later event would trigger it.
        """
        reader = self._reader
        while reader is not None and self._state is _OPEN and reader.has_bytes:
            reader.frames_left = FRAMES_PER_TURN
            while self._state is _OPEN and self._deliver_one(reader):
                pass
            if reader.frames_left:
                return

    def _next_turn(self) -> None:
        reader = self._reader
        if reader is not None:
            reader.frames_left = FRAMES_PER_TURN
            self._deliver(reader)

    def _deliver_one(self, reader: FrameReader) -> bool:
        """Handle the next frame; False if no complete one is left."""
        try:
            frame = reader.next_frame()
        except ProtocolFailure as failure:
            self._fail(failure)
            return False
        except CorruptMessage:
            if self._state is _OPEN:
                self.on_corrupt_message()
            return True
        if frame is None:
            return False
        self._handle(*frame)
        return True

    def _resume_transport(self) -> None:
        if self._transport_paused and self._state < _ENDED:
            self._transport_paused = False
            self.transport.resume_reading()

    def _handle(self, opcode: int, payload: bytes) -> None:
        state = self._state
        if opcode == CLOSE:
            self._on_close_frame(payload)
        elif opcode == PING:
            if state is not _CLOSING:  # nothing may follow a close frame
                self._answer_ping(payload)
        elif state is _OPEN:
            if opcode <= BINARY:
                self.on_message(payload)
            else:
                self.on_pong_frame(payload)

    def _answer_ping(self, payload: bytes) -> None:
        if self._blocked:
            self._pong = payload  # only the latest ping needs an answer (RFC 6455 section 5.5.3)
        else:
            self._pong = None
            self.transport.write(pong_frame(payload))

    def _on_close_frame(self, payload: bytes) -> None:
        if self._state is not _CLOSING:
            self.on_before_close()
        if self._state is not _CLOSING:  # on_before_close may have closed
            self.transport.write(close_echo_frame(payload))
            self._report_closed()
        self._end()

    def _fail(self, failure: ProtocolFailure) -> None:
        """Close with the error's code, and stop reading."""
        if self._state is not _OPEN:
            self._end()
            return
        self.on_before_close()
        if self._state is not _OPEN:
            self._end()
            return
        self._state = _ENDED
        self.transport.write(close_frame(failure.code, failure.reason))
        self.on_close_sent(failure.code)
        # Closing a socket with unread input resets it, and the reset may overtake the close frame. So input is
        # discarded for a moment, until the peer has closed as well.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._wait(LINGER_SECONDS)
        self._report_closed()

    def _end(self) -> None:
        """Close the socket once the written bytes are sent, within a timeout."""
        if self._state is _LOST:
            return
        self._state = _ENDED
        self._reader = None
        self._wait(CLOSE_FRAME_WRITE_SECONDS)
        self.transport.close()

    def _report_closed(self) -> None:
        if not self._gone:
            self._gone = True
            self.on_connection_closed()

    def _wait(self, seconds: float) -> None:
        self._wheel.schedule(self, self._wheel.clock() + seconds)
