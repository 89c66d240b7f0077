"""WebTransport over HTTP/3: one session with one client stream (02 section 8)."""

from collections import deque
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from aioquic.buffer import encode_uint_var
from aioquic.h3.connection import ErrorCode

from ..timing_wheel import NOT_SCHEDULED, TimingWheel

if TYPE_CHECKING:
    from .connection import Http3Connection

STREAM_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 1.0
"""Between the end of the stream and that of the session: a browser drops unread stream data when the session ends."""

SESSION_GONE: Final = 0x170D7B68
STREAM_REJECTED: Final = 0x3994BD84

_CLOSE_SESSION: Final = 0x2843
_MAX_REASON: Final = 1024
_END: Final = b""
"""The end of a stream, queued among its chunks."""


class _State(IntEnum):
    WAITING = 0  # for the client's stream
    OPEN = 1
    ENDING = 2  # the stream has ended, the session is about to
    GONE = 3


class WebTransportConnection:
    """One session, server side.

    Subclass it and override the `on_` methods, as with `WebSocketConnection`.

    It is its own item of the wheel, while it waits for the stream and while it is ending.
    """

    __slots__ = (
        "_closing",
        "_connection",
        "_paused",
        "_state",
        "_unread",
        "_wheel",
        "blocked",
        "id",
        "session_id",
        "wheel_slot",
    )

    _connection: "Http3Connection"
    session_id: int
    """The id of the CONNECT stream."""

    def __init__(self, wheel: TimingWheel) -> None:
        self._wheel = wheel
        self._state = _State.WAITING
        self._paused = False
        self._unread: deque[bytes] | None = None
        self._closing = (0, b"")
        self.blocked = False
        self.id = -1
        """The id of the message stream."""
        self.wheel_slot = NOT_SCHEDULED

    # Overridden by subclasses.

    def on_opened(self) -> None:
        """The client has opened its stream."""

    def on_data(self, data: bytes) -> None:
        """Handle received data.

        Not called while reading is paused, nor after `close` or `abort`.
        """

    def on_finished(self) -> None:
        """The client has ended its stream. The session is still open."""

    def on_blocked(self) -> None:
        """Written data is still queued: pause writing until `on_writable`."""

    def on_writable(self) -> None:
        """All written data was sent."""

    def on_gone(self) -> None:
        """The session has ended; called exactly once in every case."""

    # Called by subclasses.

    def write(self, data: bytes) -> None:
        """Write to the stream; ignored unless it is open."""
        if self._state is _State.OPEN:
            connection = self._connection
            if connection.quic.can_write(self.id):
                connection.quic.send_stream_data(self.id, data)
                connection.on_written(self, len(data))

    def close(self, code: int, reason: str) -> None:
        """End the stream after the written data, then the session.

        The session ends a moment later, with code and reason. Input is discarded meanwhile. Ignored when the session is
        already ending.
        """
        if self._state >= _State.ENDING:
            return
        self._closing = (code, reason.encode()[:_MAX_REASON].decode("utf-8", "ignore").encode())
        self._unread = None
        self.resume_reading()
        if self._state is _State.OPEN:
            self._connection.finish_raw(self.id)
            self._connection.on_written(self, 0)
        self._state = _State.ENDING
        self._wheel.schedule(self, self._wheel.clock() + PAUSE_SECONDS)

    def abort(self) -> None:
        """End the session at once, discarding unsent data."""
        if self._state is not _State.GONE:
            self._connection.reset(self.id, SESSION_GONE)
            self._close_session(ErrorCode.H3_INTERNAL_ERROR)

    def pause_reading(self) -> None:
        """Stop delivering data. The client may use up the stream's window."""
        if self._state is _State.OPEN:
            self._paused = True
            self._connection.quic.paused_streams.add(self.id)

    def resume_reading(self) -> None:
        """Deliver the kept data in order, and continue reading."""
        self._paused = False
        if self._state is _State.OPEN:
            self._connection.quic.paused_streams.discard(self.id)
            self._deliver_unread()

    # Called by the connection and the wheel.

    def begin(self, connection: "Http3Connection", session_id: int) -> None:
        """The session was accepted."""
        self._connection = connection
        self.session_id = session_id
        self._wheel.schedule(self, self._wheel.clock() + STREAM_SECONDS)

    def stop_waiting(self) -> None:
        """End a session that has no stream yet."""
        if self._state is _State.WAITING:
            self._finish_session()
            self._close_session(None)

    def receive(self, stream_id: int, data: bytes, *, ended: bool) -> None:
        """Handle data on a bidirectional stream of the session.

        Streams after the first are rejected.
        """
        if self._state is _State.WAITING:
            self._open(stream_id)
        if stream_id != self.id:
            self._connection.reset(stream_id, STREAM_REJECTED)
            return
        pieces = (data, _END) if ended and data else (data,)
        if self._paused or self._unread:
            if self._unread is None:
                self._unread = deque()
            self._unread.extend(pieces)
        else:
            for piece in pieces:
                self._deliver(piece)

    def on_sent(self) -> None:
        """All written data was sent."""
        if self.blocked:
            self.blocked = False
            self.on_writable()

    def on_lost(self) -> None:
        """The client ended the session, or the connection is lost."""
        if self._state is not _State.GONE:
            self._connection.reset(self.id, SESSION_GONE)
            self._finish_session()
            self._close_session(None)

    def on_stream_lost(self) -> None:
        """The client reset its stream."""
        if self._state is _State.OPEN:
            self.on_finished()

    def on_timer(self, now: float) -> None:
        """No stream was opened in time, or the pause is over."""
        if self._state is _State.ENDING:
            code, reason = self._closing
            capsule = code.to_bytes(4, "big") + reason
            self._finish_session(encode_uint_var(_CLOSE_SESSION) + encode_uint_var(len(capsule)) + capsule)
        else:
            self._finish_session()
        self._close_session(None)

    # Internals.

    def _open(self, stream_id: int) -> None:
        self.id = stream_id
        self._state = _State.OPEN
        self._wheel.cancel(self)
        self.on_opened()

    def _deliver_unread(self) -> None:
        unread = self._unread
        while unread and not self._paused and self._state is _State.OPEN:
            self._deliver(unread.popleft())
        if not unread:
            self._unread = None
        self._connection.transmit()  # send the new window

    def _deliver(self, piece: bytes) -> None:
        if self._state is _State.OPEN:
            if piece:
                self.on_data(piece)
            else:
                self.on_finished()

    def _finish_session(self, last: bytes = b"") -> None:
        """End the CONNECT stream with a last capsule.

        The client ends its side by itself. After STOP_SENDING, Chromium would drop the stream before it has read the
        capsule.
        """
        self._connection.send_data(self.session_id, last, end=True)

    def _close_session(self, error_code: int | None) -> None:
        self._state = _State.GONE
        self._wheel.cancel(self)
        self._unread = None
        connection = self._connection
        if error_code is not None:
            connection.reset(self.session_id, error_code)
        connection.quic.paused_streams.discard(self.id)
        connection.end_session(self.session_id)
        self.on_gone()
