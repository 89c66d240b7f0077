"""The WebTransport transport: commands and frames on one stream of a session.

02 §8.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from fanjet.client.session import Session
from fanjet.net.http1.stream import unframed
from fanjet.net.http3.exchange import WebTransportExchange
from fanjet.net.http3.webtransport import WebTransportConnection
from fanjet.net.query import query_value
from fanjet.protocol.codes import DISCONNECT_CONNECTION_CLOSED, DISCONNECT_SHUTDOWN
from fanjet.protocol.json_encoding.codec import JSON
from fanjet.protocol.protobuf_encoding.codec import PROTOBUF
from fanjet.protocol.wire import WireFormat
from fanjet.telemetry.logging import get_logger

from .command_stream import CommandStream, CommandTooLong, split_lines, split_prefixed
from .response_stream import line

if TYPE_CHECKING:
    from fanjet.client.context import ClientContext
    from fanjet.client.request_info import RequestInfo
    from fanjet.config.tree.bidirectional import Webtransport
    from fanjet.net.http1 import Exchange
    from fanjet.net.origin import OriginPredicate
    from fanjet.protocol.codes import Disconnect

    from .connection_guard import AdmittedRequest

log = get_logger(__name__)

WRITE_SECONDS: Final = 1.0
DEFAULT_MESSAGE_SIZE_LIMIT: Final = 65536


@cache
def wire_format(protobuf: bool) -> WireFormat:
    """The wire format of a session.

    Malformed commands end the stream without a code (01 §2.4).
    """
    malformed = DISCONNECT_CONNECTION_CLOSED
    if protobuf:
        return WireFormat("webtransport-protobuf", PROTOBUF, unframed, transport="webtransport", malformed=malformed)
    return WireFormat("webtransport-json", JSON, line, transport="webtransport", malformed=malformed)


class WebTransportOptions(NamedTuple):
    """Negotiated options, shared by all sessions with the same ones."""

    wire: WireFormat
    message_size_limit: int


class WebTransportTransport(WebTransportConnection):
    """One WebTransport session and its client session.

    The client session starts with the client's stream.
    """

    __slots__ = ("_commands", "_context", "_opening", "_session", "wire")

    name = "webtransport"
    emulated = False
    pushes_disconnect = True
    app_pings = True
    write_timeout = WRITE_SECONDS

    def __init__(self, context: ClientContext, options: WebTransportOptions, request_info: RequestInfo) -> None:
        super().__init__(context.wheel)
        self.wire = options.wire
        cut = split_lines if options.wire.codec is JSON else split_prefixed
        self._commands = CommandStream(cut, options.message_size_limit)
        self._context = context
        self._opening = request_info
        self._session: Session | None = None

    # Called by the session.

    def end(self, disconnect: Disconnect) -> None:
        """End stream and session; the preceding disconnect push gave the reason."""
        self.close(disconnect.code, disconnect.reason)

    def abandon(self) -> None:
        """End as if the client had disconnected (02 §8)."""
        self.end(DISCONNECT_CONNECTION_CLOSED)

    # Called by the connection.

    def on_opened(self) -> None:
        """Start the client session."""
        self._context.connection_opened()
        self._session = Session(self._context, self, self._opening)
        if self._context.node.shutting_down:
            self._session.disconnect(DISCONNECT_SHUTDOWN)

    def on_data(self, data: bytes) -> None:
        """Process a chunk of the command stream."""
        try:
            self._run(self._commands.feed(data))
        except CommandTooLong as fault:
            self._run(fault.before)
            self.on_finished()

    def _run(self, commands: bytes) -> None:
        if commands and self._session is not None:
            self._session.on_bytes(_frame_of_lines(commands) if self.wire.codec is JSON else commands)

    def on_finished(self) -> None:
        """The client ended its stream: disconnect once its commands are answered."""
        if self._session is not None:
            self.pause_reading()  # after a stream reset, more data could arrive
            self._session.on_finished()

    def on_blocked(self) -> None:
        """The client does not read; writes are buffered."""
        if self._session is not None:
            self._session.on_blocked()

    def on_writable(self) -> None:
        """Everything written was sent."""
        if self._session is not None:
            self._session.on_writable()

    def on_gone(self) -> None:
        """Drop the client session, so that no reference keeps both alive."""
        session, self._session = self._session, None
        if session is not None:
            self._context.connection_ended()
            session.on_lost()


def _frame_of_lines(lines: bytes) -> bytes:
    """Convert lines to a frame.

    Removes the last newline, so that one command stands alone, unless it ends a blank line, which is malformed.
    """
    stripped = lines[:-1]
    return lines if stripped.endswith(b"\n") else stripped


class WebTransportEndpoint:
    """Handles WebTransport session requests."""

    def __init__(self, context: ClientContext, config: Webtransport, origin_allowed: OriginPredicate) -> None:
        self._context = context
        self._origin_allowed = origin_allowed
        limit = config.message_size_limit
        self._limit = limit if limit > 0 else DEFAULT_MESSAGE_SIZE_LIMIT

    def __call__(self, exchange: Exchange, admitted: AdmittedRequest) -> None:
        """Refuse, or start a session."""
        request = exchange.request
        if not isinstance(exchange, WebTransportExchange):
            exchange.respond(400, headers=admitted.headers)
            return
        origin = request.headers.get(b"origin", b"")
        if not self._origin_allowed(origin):
            log.info("request origin not allowed", transport="webtransport", origin=origin.decode("latin-1"))
            exchange.respond(400)
            return
        protobuf = query_value(request.query, b"cf_protocol") == b"protobuf"
        options = WebTransportOptions(wire_format(protobuf), self._limit)
        exchange.accept(WebTransportTransport(self._context, options, admitted.request_info), admitted.headers)
