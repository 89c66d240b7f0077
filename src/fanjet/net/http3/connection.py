"""One QUIC connection with its requests and WebTransport sessions."""

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Protocol

from aioquic.h3.connection import ErrorCode, stream_is_request_response
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived, WebTransportStreamDataReceived
from aioquic.quic.events import (
    ConnectionIdIssued,
    ConnectionIdRetired,
    ConnectionTerminated,
    HandshakeCompleted,
    ProtocolNegotiated,
    QuicEvent,
    StopSendingReceived,
    StreamDataReceived,
    StreamReset,
)

from ..timing_wheel import NOT_SCHEDULED
from .framing import MAX_PARTIAL_BYTES, ServerFraming
from .request_stream import RequestStream

if TYPE_CHECKING:
    from aioquic.quic.connection import NetworkAddress

    from ..http2.header_blocks import Field
    from .endpoint import QuicEndpoint
    from .quic import ServerQuic
    from .server import Http3Server
    from .webtransport import WebTransportConnection

HANDSHAKE_SECONDS: Final = 10.0
IDLE_SECONDS: Final = 30.0
"""Timeout without requests, and without any packet (02 section 3.1)."""
KEEPALIVE_SECONDS: Final = 27.0
"""Silence during open requests after which the client is pinged. Longer than the usual ping interval of the client
protocol, which then suffices, and shorter than the idle timeout of browsers."""

DEFERRED_BYTES: Final = 1 << 16
"""Output written while a datagram is processed, before it is sent, so that it shares packets with acknowledgements."""

SHORT_WAIT: Final = 0.5
"""aioquic timers within this many seconds use the event loop, as they must be exact; others use the wheel."""

_NEVER: Final = float("inf")

log = logging.getLogger(__name__)


class Writer(Protocol):
    """The writer of a stream."""

    id: int
    blocked: bool
    """Set by the connection until `on_sent`, which resets it."""

    def on_blocked(self) -> None:
        """Written data is still queued."""

    def on_sent(self) -> None:
        """All written data was sent."""


class Http3Connection:
    """Passes datagrams to aioquic, and sends its output.

    aioquic's events are passed to requests and sessions. All deadlines are one entry of the timing wheel. An event loop
    timer exists only while packets are in flight.
    """

    __slots__ = (
        "_address",
        "_closing",
        "_deferred",
        "_endpoint",
        "_gone",
        "_handshaken",
        "_idle_since",
        "_last_received",
        "_peer",
        "_pending_writers",
        "_receiving",
        "_scheduled_for",
        "_sessions",
        "_timer",
        "_timer_at",
        "framing",
        "ids",
        "quic",
        "requests",
        "server",
        "wheel_slot",
    )

    framing: ServerFraming
    """Set once the client has negotiated HTTP/3."""

    def __init__(self, server: "Http3Server", endpoint: "QuicEndpoint", quic: "ServerQuic") -> None:
        self.server = server
        self.quic = quic
        self.ids: set[bytes] = set()
        """Connection ids registered at the endpoint."""
        self.requests: dict[int, RequestStream] = {}
        self.wheel_slot = NOT_SCHEDULED
        self._endpoint = endpoint
        self._sessions: dict[int, WebTransportConnection] = {}
        self._pending_writers: dict[int, Writer] = {}
        self._peer: asyncio.BaseTransport | None = None
        self._handshaken = False
        self._closing = False
        self._gone = False
        self._receiving = False
        self._deferred = 0
        self._last_received = self._idle_since = server.wheel.clock()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = _NEVER
        self._scheduled_for = _NEVER
        self._schedule(self._last_received + HANDSHAKE_SECONDS)

    @property
    def peer(self) -> asyncio.BaseTransport:
        """A transport with the client's address, for requests."""
        if self._peer is None:
            self._peer = asyncio.BaseTransport({"peername": self.quic.get_peer_address()})
        return self._peer

    @property
    def is_idle(self) -> bool:
        """Whether no request or session is open."""
        return not self.requests and not self._sessions

    def close(self) -> None:
        """Close the connection. Unsent data is dropped."""
        if not self._closing:
            self._closing = True
            self.quic.close(ErrorCode.H3_NO_ERROR)
            self.transmit()

    def stop(self) -> None:
        """Close if idle; sessions without a stream do not count."""
        for session in list(self._sessions.values()):
            session.stop_waiting()
        if self.is_idle:
            self.close()

    def fail(self) -> None:
        """Drop the connection silently after an internal error."""
        self._terminate()

    # Called by the endpoint and timers.

    def datagram_received(self, data: bytes, address: "NetworkAddress") -> None:
        """Process a datagram, and respond."""
        now = self._last_received = self.server.wheel.clock()
        self._receiving = True
        try:
            self.quic.receive_datagram(data, address, now)
            self._handle_events()
        finally:
            self._receiving = False
            self._deferred = 0
        self.transmit()

    def on_timer(self, now: float) -> None:
        """Check all deadlines; called by the wheel."""
        self._scheduled_for = _NEVER
        self._handle_timers(now)
        if self._closing:
            return
        if not self._handshaken:
            if now >= self._idle_since + HANDSHAKE_SECONDS:
                self.close()
        elif self.is_idle:
            if now >= self._idle_since + IDLE_SECONDS:
                self.close()
        elif now >= self._last_received + KEEPALIVE_SECONDS:
            self._last_received = now
            self.quic.send_ping(0)
            self.transmit()
        self._schedule_next()

    def _on_short_timer(self) -> None:
        self._timer = None
        self._timer_at = _NEVER
        self._handle_timers(self.server.wheel.clock())

    def _handle_timers(self, now: float) -> None:
        if self._gone:
            return
        due = self.quic.get_timer()
        if due is not None and due <= now:
            self.quic.handle_timer(now)
            self._handle_events()
            self.transmit()
        else:
            self._arm(now)

    # Called by requests and sessions.

    def send_headers(self, stream_id: int, fields: "list[Field]", *, end: bool = False) -> None:
        """Queue headers, unless the client has stopped reading."""
        if self.quic.can_write(stream_id):
            self.framing.send_headers(stream_id, fields, end)

    def send_data(self, stream_id: int, data: bytes, *, end: bool = False) -> None:
        """Queue a chunk of a body, unless the client has stopped reading."""
        if self.quic.can_write(stream_id):
            self.framing.send_data(stream_id, data, end)

    def finish_raw(self, stream_id: int) -> None:
        """Queue the end of a stream without HTTP framing."""
        if self.quic.can_write(stream_id):
            self.quic.send_stream_data(stream_id, b"", end_stream=True)
            self.framing.finish_sending(stream_id)

    def reset(self, stream_id: int, error_code: int) -> None:
        """Reset a stream in both directions."""
        if self.quic.can_write(stream_id):
            self.quic.reset_stream(stream_id, error_code)
        self.quic.stop_reading(stream_id, error_code)
        self.framing.finish_sending(stream_id)
        self._pending_writers.pop(stream_id, None)
        self.transmit()

    def on_written(self, writer: Writer, size: int) -> None:
        """Send what the writer has queued; the writer is notified of the outcome."""
        self._pending_writers[writer.id] = writer
        if self._receiving:
            self._deferred += size
            if self._deferred < DEFERRED_BYTES:
                return
            self._deferred = 0
        self._send()

    def forget(self, stream_id: int) -> None:
        """A request is over."""
        self.requests.pop(stream_id, None)
        self._on_idle()

    def begin_session(self, stream_id: int, session: "WebTransportConnection") -> None:
        """A request has become a session."""
        self._sessions[stream_id] = session
        session.begin(self, stream_id)
        self.transmit()

    def end_session(self, stream_id: int) -> None:
        """A session is over."""
        self._sessions.pop(stream_id, None)
        self._pending_writers.pop(stream_id, None)
        self.transmit()  # before the connection may be closed
        self._on_idle()

    def transmit(self) -> None:
        """Send due packets.

        Not while a datagram is being processed, which sends them at its end.
        """
        if not self._receiving:
            self._send()

    # Events.

    def _handle_events(self) -> None:
        while not self._gone and (event := self.quic.next_event()) is not None:
            self._handle_event(event)

    def _handle_event(self, event: QuicEvent) -> None:
        if isinstance(event, StreamDataReceived):
            self._on_stream_data(event)
        elif isinstance(event, (StreamReset, StopSendingReceived)):
            self.framing.handle_event(event)
            self._on_stream_lost(event.stream_id)
        elif isinstance(event, ProtocolNegotiated):
            self.framing = ServerFraming(self.quic, webtransport=self.server.webtransport)
        elif isinstance(event, HandshakeCompleted):
            self._handshaken = True
            self._idle_since = self._last_received
            self._endpoint.handshake_ended(self)
        elif isinstance(event, ConnectionIdIssued):
            self._endpoint.add_id(self, event.connection_id)
        elif isinstance(event, ConnectionIdRetired):
            self._endpoint.drop_id(self, event.connection_id)
        elif isinstance(event, ConnectionTerminated):
            self._terminate()

    def _on_stream_data(self, event: StreamDataReceived) -> None:
        stream_id = event.stream_id
        if stream_is_request_response(stream_id) and not self.framing.knows(stream_id):
            self.requests[stream_id] = RequestStream(self, stream_id)
        for happened in self.framing.handle_event(event):
            self._on_http_event(happened)
        if self.framing.partial_bytes > MAX_PARTIAL_BYTES:
            self._closing = True
            self.quic.close(ErrorCode.H3_EXCESSIVE_LOAD, reason_phrase="frame too large")

    def _on_http_event(self, event: H3Event) -> None:
        if isinstance(event, DataReceived):
            request = self.requests.get(event.stream_id)
            if request is not None:
                request.on_data(event.data, ended=event.stream_ended)
            elif event.stream_ended:
                self._on_stream_lost(event.stream_id)
        elif isinstance(event, WebTransportStreamDataReceived):
            self._on_session_data(event)
        elif isinstance(event, HeadersReceived):
            request = self.requests.get(event.stream_id)
            if request is not None:
                request.on_headers(event.headers, ended=event.stream_ended)

    def _on_session_data(self, event: WebTransportStreamDataReceived) -> None:
        stream_id = event.stream_id
        request = self.requests.get(stream_id)
        if request is not None:
            request.cancel()  # the stream belongs to a session
        session = self._sessions.get(event.session_id)
        if session is None:
            if stream_is_request_response(stream_id):
                self.reset(stream_id, ErrorCode.H3_ID_ERROR)
            else:
                self.quic.stop_reading(stream_id, ErrorCode.H3_ID_ERROR)
        elif stream_is_request_response(stream_id):
            session.receive(stream_id, event.data, ended=event.stream_ended)
        else:
            self.quic.stop_reading(stream_id, ErrorCode.H3_NO_ERROR)

    def _on_stream_lost(self, stream_id: int) -> None:
        """The client reset a stream, or ended that of a session."""
        if stream_id in self.requests:
            self.requests[stream_id].on_lost()
        elif stream_id in self._sessions:
            self._sessions[stream_id].on_lost()
        else:
            for session in list(self._sessions.values()):
                if session.id == stream_id:
                    session.on_stream_lost()

    def _terminate(self) -> None:
        self._closing = self._gone = True
        self.server.wheel.cancel(self)
        self._scheduled_for = _NEVER
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._pending_writers.clear()
        for request in list(self.requests.values()):
            request.on_lost()
        for session in list(self._sessions.values()):
            session.on_lost()
        self._endpoint.forget(self)
        self.quic.break_cycles()

    # Sending and waiting.

    def _send(self) -> None:
        if self._gone:
            return
        now = self.server.wheel.clock()
        for data, address in self.quic.datagrams_to_send(now):
            self._endpoint.send(data, address)
        if self._pending_writers:
            self._notify_writers()
        self._arm(now)

    def _notify_writers(self) -> None:
        for stream_id, writer in list(self._pending_writers.items()):
            if self.quic.has_unsent(stream_id):
                if not writer.blocked:
                    writer.blocked = True
                    writer.on_blocked()
            else:
                self._pending_writers.pop(stream_id, None)
                writer.on_sent()

    def _arm(self, now: float) -> None:
        """Schedule aioquic's next timer."""
        due = self.quic.get_timer()
        if due is None:
            return
        if due > now + SHORT_WAIT:
            self._schedule(due)
        elif due < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = due
            self._timer = asyncio.get_running_loop().call_later(max(due - now, 0.0), self._on_short_timer)

    def _on_idle(self) -> None:
        if self.is_idle and not self._closing:
            self._idle_since = self.server.wheel.clock()
            self._schedule(self._idle_since + IDLE_SECONDS)
            self.server.on_idle(self)

    def _schedule_next(self) -> None:
        if self._closing:
            return
        since, seconds = (self._idle_since, IDLE_SECONDS) if self.is_idle else (self._last_received, KEEPALIVE_SECONDS)
        self._schedule(since + (seconds if self._handshaken else HANDSHAKE_SECONDS))

    def _schedule(self, when: float) -> None:
        """Have the wheel call at `when` or before.

        Later times are not rescheduled: the wheel checks again when the old one fires, so that packets do not move a
        connection about in it.
        """
        if when < self._scheduled_for:
            self._scheduled_for = when
            self.server.wheel.schedule(self, when)
