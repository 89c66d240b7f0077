"""One HTTP/2 server connection (RFC 9113)."""

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final, cast

from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    PingReceived,
    PriorityUpdated,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    UnknownFrameReceived,
    WindowUpdated,
)
from h2.exceptions import H2Error

from ..token_bucket import TokenBucket
from .deadlines import Deadlines
from .engine import Engine, go_away, header_frames
from .keepalive import PingLimiter
from .request_fields import MalformedRequest, check_fields
from .stream import Http2Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .header_blocks import Field, HeaderBlock
    from .server import Http2Server

IDLE_FRAMES_PER_SECOND: Final = 1000
"""Limit of frames without payload per client (pings, settings, priorities, resets): they are cheap to send and cost
some 10 µs each."""

TURN_BYTES: Final = 1 << 14
"""Bytes processed in one turn of the event loop: up to 10 ms if they are all small frames."""

CORK_BYTES: Final = 1 << 16

log = logging.getLogger(__name__)


class Http2Connection(asyncio.Protocol):
    """Reads requests and passes their streams to receivers, up to the stream limit."""

    __slots__ = (
        "_backlog",
        "_cork",
        "_corked",
        "_deadlines",
        "_draining",
        "_ended",
        "_idle_frames",
        "_last_stream",
        "_paused",
        "_pings",
        "_server",
        "_waiting",
        "engine",
        "streams",
        "transport",
        "write_blocked",
    )

    transport: asyncio.Transport

    def __init__(self, server: "Http2Server") -> None:
        self._server = server
        self.engine = Engine(max_streams=server.max_streams, extended_connect=server.extended_connect)
        self.streams: dict[int, Http2Stream] = {}
        """Open streams by number."""
        self.write_blocked = False
        """Whether the socket's write buffer is full."""
        self._deadlines = Deadlines(server.wheel, self, server.timeouts)
        self._pings = PingLimiter(server.timeouts.ping_interval)
        self._waiting: dict[Http2Stream, None] = {}  # streams with data that waits for a window or the socket
        self._cork: list[bytes] | None = None  # output of this turn, written at its end
        self._corked = 0  # bytes
        self._backlog = bytearray()  # input for later turns
        self._paused = False
        self._draining = False  # no more streams are accepted
        self._ended = False  # nothing is read any more
        self._last_stream = 0
        self._idle_frames: TokenBucket | None = None

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send our settings."""
        self.transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)
        self._deadlines.connected()
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Process the input, in turns."""
        if self._ended:
            return
        if self._backlog or self.write_blocked or len(data) > TURN_BYTES:
            waits = bool(self._backlog)
            self._backlog += data
            self._pause_reading()
            if not waits and not self.write_blocked:
                self._next_turn()
        else:
            self._receive(data)

    def eof_received(self) -> bool:
        """The client stopped sending.

        It cannot extend windows any more, so the connection ends.
        """
        self._drop_streams()
        self.close()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._ended = True
        self._deadlines.cancel()
        self._server.forget(self)
        self._drop_streams()

    def pause_writing(self) -> None:
        """Stop reading while the socket's write buffer is full.

        No further output is caused meanwhile.
        """
        self.write_blocked = True
        self._deadlines.write_blocked()
        self._pause_reading()
        for stream in list(self.streams.values()):
            stream.report_blocked()

    def resume_writing(self) -> None:
        """The write buffer has drained."""
        self.write_blocked = False
        self._deadlines.writable()
        self._drain_all()
        if self.write_blocked:
            return
        for stream in list(self.streams.values()):
            stream.report_blocked()
        if self._backlog:
            self._next_turn()
        else:
            self._resume_reading()

    # Called by the deadlines.

    def expire(self) -> None:
        """Close after a timeout."""
        self.go_away(ErrorCodes.NO_ERROR)
        self.close()

    def abort(self) -> None:
        """Abort the connection."""
        self._ended = True
        self.transport.abort()

    def ping(self) -> None:
        """Ping the client."""
        self.engine.ping(b"\0" * 8)
        self._flush()

    # Called by streams.

    def write(self, data: bytes) -> None:
        """Write frames: now, or together with others of this turn."""
        cork = self._cork
        if cork is None:
            self.transport.write(data)
            return
        cork.append(data)
        self._corked += len(data)
        if self._corked > CORK_BYTES:
            self._corked = 0
            self._cork = []
            self.transport.write(b"".join(cork))

    def send_headers(self, stream: Http2Stream, headers: "Iterable[Field]", *, end: bool) -> None:
        """Send response headers, or a complete response."""
        if stream.id not in self.streams:
            return
        if end:
            self.end_stream(stream, tuple(headers))
        else:
            # Bypasses h2, which takes 30 µs: h2 sees only the end of the response.
            engine = self.engine
            self.write(header_frames(stream.id, engine.encoder.encode(headers), engine.max_outbound_frame_size))
            self._pings.reset_strikes()

    def drain(self, stream: Http2Stream) -> None:
        """Send the pending data of a stream, as far as possible."""
        while not self.write_blocked and stream.send_pending():
            pass
        if stream.has_pending:
            self._waiting[stream] = None
        stream.report_blocked()

    def end_stream(self, stream: Http2Stream, trailers: "Sequence[Field]") -> None:
        """Send the end of a response."""
        try:
            if trailers:
                self.engine.send_headers(stream.id, trailers, end_stream=True)
            else:
                self.engine.end_stream(stream.id)
        except H2Error:
            return
        self._flush()
        self._pings.reset_strikes()
        self._close_stream(stream)

    def reset(self, stream: Http2Stream, code: int) -> None:
        """Reset a stream."""
        if self.streams.pop(stream.id, None) is not None:
            self._waiting.pop(stream, None)
            self._reset(stream.id, code)
            self._on_stream_closed()

    def acknowledge(self, stream: Http2Stream, size: int) -> None:
        """Extend the client's window by the bytes that a receiver has consumed."""
        if not self._ended:
            self.engine.acknowledge_received_data(size, stream.id)
            self._flush()

    # Called by the server.

    def start_draining(self) -> None:
        """Accept no more streams, and close when the open ones end."""
        self.go_away(ErrorCodes.NO_ERROR)
        self._on_stream_closed()

    def go_away(self, code: int, detail: bytes = b"") -> None:
        """Send GOAWAY: later requests are not answered."""
        if not (self._draining or self._ended):
            self._draining = True
            self.write(go_away(code, self._last_stream, detail))

    def close(self) -> None:
        """Stop reading; close the socket once the written bytes are sent.

        Closing a socket with unread input resets it, and the reset may overtake the output. Input is therefore
        discarded for a moment, until the client has closed as well.
        """
        if self._ended:
            return
        self._ended = True
        self._backlog.clear()
        self._uncork()
        if self.transport.can_write_eof():
            self._resume_reading()
            self.transport.write_eof()
            self._deadlines.closing(lingers=True)
        else:
            self.transport.close()
            self._deadlines.closing(lingers=False)

    # Internals.

    def _next_turn(self) -> None:
        if self._ended or self.write_blocked:
            return
        turn = bytes(self._backlog[:TURN_BYTES])
        del self._backlog[:TURN_BYTES]
        self._receive(turn)
        if self._ended or self.write_blocked:
            return
        if self._backlog:
            asyncio.get_running_loop().call_soon(self._next_turn)
        else:
            self._resume_reading()

    def _receive(self, data: bytes) -> None:
        self._cork = []
        try:
            events = self.engine.receive_data(data)
        except H2Error:
            self._fail()
            return
        self._flush()  # acknowledge new settings before acting on them
        try:
            self._handle(events)
        finally:
            self._flush()
            self._uncork()
        if not self._ended:
            self._deadlines.received(in_header_block=self.engine.in_header_block)

    def _handle(self, events: list[Event]) -> None:
        # A stream that is reset right after its request costs only its frames (rapid reset).
        reset = {event.stream_id for event in events if isinstance(event, StreamReset)} if len(events) > 1 else ()
        for event in events:
            if isinstance(event, RequestReceived):
                if event.stream_id not in reset:
                    self._open_stream(event.stream_id, cast("HeaderBlock", event.headers[0][1]))
            elif isinstance(event, DataReceived):
                self._on_data(event)
            elif isinstance(event, TrailersReceived):
                self._check_trailers(event.stream_id, cast("HeaderBlock", event.headers[0][1]))
            elif isinstance(event, StreamEnded):
                self._complete_request(event.stream_id)
            elif isinstance(event, StreamReset):
                self._drop_stream(event.stream_id)
            elif isinstance(event, WindowUpdated):
                self._on_window_update(event.stream_id)
            elif isinstance(event, RemoteSettingsChanged):
                self._deadlines.established()
                self._on_window_update(0)
            elif isinstance(event, PingReceived):
                self._check_ping()
            if isinstance(event, _IDLE_FRAMES):
                self._count_idle_frame()
            if self._ended:
                return

    def _open_stream(self, number: int, block: "HeaderBlock") -> None:
        if block.oversized:
            self._refuse_oversized(number)
            return
        if self._draining or len(self.streams) >= self._server.max_streams:
            self._reset(number, ErrorCodes.REFUSED_STREAM)
            return
        self._last_stream = number
        try:
            check_fields(block.fields, extended_connect=self._server.extended_connect)
        except MalformedRequest:
            self._reset(number, ErrorCodes.PROTOCOL_ERROR)
            return
        stream = Http2Stream(self, self.engine.streams[number], block.fields)
        self.streams[number] = stream
        self._deadlines.busy()
        try:
            receiver = self._server.accept(stream)
        except Exception:
            log.exception("accepting a stream failed")
            stream.reset(ErrorCodes.INTERNAL_ERROR)
            return
        if stream.receiver is None:  # else it was handed over already
            stream.receiver = receiver
        if not stream.is_over:
            stream.report_blocked()

    def _refuse_oversized(self, number: int) -> None:
        """Respond 431 and close the connection: no later header block can be decoded."""
        self._last_stream = number
        self.engine.send_headers(number, ((b":status", b"431"),), end_stream=True)
        self._flush()
        self.go_away(ErrorCodes.ENHANCE_YOUR_CALM)
        self._drop_streams()
        self.close()

    def _on_data(self, event: DataReceived) -> None:
        data, size = event.data or b"", event.flow_controlled_length or 0
        stream = self.streams.get(event.stream_id or 0)
        if stream is not None:
            stream.receive_data(data, size)
        elif not self._ended:
            self.engine.acknowledge_received_data(size, event.stream_id or 0)
        if not data and event.stream_ended is None:
            self._count_idle_frame()

    def _check_trailers(self, number: int, block: "HeaderBlock") -> None:
        """Validate trailers, which are otherwise ignored."""
        stream = self.streams.get(number)
        if block.oversized:
            self._fail(ErrorCodes.ENHANCE_YOUR_CALM)
        elif stream is not None and any(name.startswith(b":") for name, _ in block.fields):
            self._drop_stream(number)
            self._reset(number, ErrorCodes.PROTOCOL_ERROR)

    def _complete_request(self, number: int) -> None:
        stream = self.streams.get(number)
        if stream is not None:
            stream.request_complete = True
            if stream.receiver is not None:
                stream.receiver.on_end()

    def _close_stream(self, stream: Http2Stream) -> None:
        """The response is sent; the rest of the request is not needed."""
        if self.streams.pop(stream.id, None) is not None:
            self._waiting.pop(stream, None)
            if not stream.request_complete:
                self._reset(stream.id, ErrorCodes.NO_ERROR)
            self._on_stream_closed()

    def _reset(self, number: int, code: int) -> None:
        if not self._ended:
            with contextlib.suppress(H2Error):  # reset by the client as well
                self.engine.reset_stream(number, code)
            self._flush()

    def _drop_stream(self, number: int) -> None:
        stream = self.streams.pop(number, None)
        if stream is not None:
            self._waiting.pop(stream, None)
            stream.on_lost()
            self._on_stream_closed()

    def _drop_streams(self) -> None:
        streams, self.streams = self.streams, {}
        self._waiting.clear()
        for stream in streams.values():
            stream.on_lost()

    def _on_stream_closed(self) -> None:
        if not self.streams:
            self._deadlines.idle()
            if self._draining:
                self.close()

    def _on_window_update(self, number: int) -> None:
        """A window was extended: of one stream, or (0) of the connection."""
        if number == 0:
            self._drain_all()
        elif (stream := self.streams.get(number)) in self._waiting:
            self._drain_one(stream)

    def _drain_all(self) -> None:
        """Send pending data until the window or the socket is full.

        One frame of each stream in turn.
        """
        turn = list(self._waiting)
        while turn and not self.write_blocked:
            turn = [stream for stream in turn if stream in self._waiting and self._drain_one(stream)]

    def _drain_one(self, stream: Http2Stream) -> bool:
        """Send one frame; return whether more can be sent."""
        more = not self.write_blocked and stream.send_pending()
        if not stream.has_pending:
            self._waiting.pop(stream, None)
            stream.report_blocked()
        return more

    def _check_ping(self) -> None:
        if not self._pings.allows(self._server.wheel.clock(), busy=bool(self.streams)):
            self._fail(ErrorCodes.ENHANCE_YOUR_CALM, b"too_many_pings")

    def _count_idle_frame(self) -> None:
        bucket = self._idle_frames
        if bucket is None:
            bucket = self._idle_frames = TokenBucket(IDLE_FRAMES_PER_SECOND, self._server.wheel.clock)
        if not bucket.take():
            self._fail(ErrorCodes.ENHANCE_YOUR_CALM, b"flood")

    def _fail(self, code: int = ErrorCodes.NO_ERROR, detail: bytes = b"") -> None:
        """Close the connection after a client error.

        Without a `code`, h2 has sent GOAWAY already.
        """
        if self._ended:
            return
        self._flush()
        if code:
            self.go_away(code, detail)
        self._draining = True
        self._drop_streams()
        self.close()

    def _flush(self) -> None:
        data = self.engine.data_to_send()
        if data and not self.transport.is_closing():
            self.write(data)

    def _uncork(self) -> None:
        cork, self._cork, self._corked = self._cork, None, 0
        if cork:
            self.transport.write(b"".join(cork))

    def _pause_reading(self) -> None:
        if not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            self.transport.resume_reading()


_IDLE_FRAMES: Final = (PingReceived, PriorityUpdated, RemoteSettingsChanged, StreamReset, UnknownFrameReceived)
