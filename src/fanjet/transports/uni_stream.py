"""Unidirectional streams: a connect request, then a response body of pushes.

02 §9.3–9.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fanjet.client.unidirectional import UnidirectionalSession
from fanjet.net.http1.response import TEXT
from fanjet.protocol.codec import MalformedFrame
from fanjet.protocol.codes import DISCONNECT_SHUTDOWN, ERROR_INTERNAL, Error
from fanjet.protocol.connect_request import decode_json_connect_request
from fanjet.protocol.json_encoding.codec import UNIDIRECTIONAL_JSON

from .response_stream import ResponseStreamTransport, wire_format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanjet.client.context import ClientContext
    from fanjet.config.tree.unidirectional import ConnectCodeToHttpResponse
    from fanjet.net.http1 import Exchange
    from fanjet.protocol.codes import Disconnect
    from fanjet.protocol.wire import WireFormat

    from .connection_guard import AdmittedRequest
    from .response_stream import Delimiting

INTERNAL_SERVER_ERROR = (500, b"Internal Server Error")


class StreamFormat(NamedTuple):
    """Name, delimiting and content type of a kind of stream."""

    name: str
    delimiting: Delimiting
    content_type: bytes
    start: bytes = b""


class UniStreamTransport(ResponseStreamTransport):
    """A connection whose response starts at once."""

    __slots__ = ("name",)

    emulated = False

    def __init__(self, wire: WireFormat, stream_format: StreamFormat) -> None:
        super().__init__(wire)
        self.name = stream_format.name


class DeferredResponseTransport(UniStreamTransport):
    """A connection whose response starts with the connect push.

    A failed connect can therefore have its own status (02 §9.5).
    """

    __slots__ = ("_exchange", "_format", "_headers", "_responses", "pushes_disconnect")

    def __init__(
        self,
        wire: WireFormat,
        stream_format: StreamFormat,
        exchange: Exchange,
        headers: Sequence[tuple[bytes, bytes]],
        responses: ConnectCodeToHttpResponse,
    ) -> None:
        """`headers` are added to either response."""
        super().__init__(wire, stream_format)
        self._format = stream_format
        self._exchange: Exchange | None = exchange
        self._headers = headers
        self._responses = responses
        self.pushes_disconnect = False
        self.write = self._begin
        exchange.on_closed = self._on_closed

    def _begin(self, data: bytes) -> None:
        """Start the response with the connect push."""
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        exchange.on_closed = None
        self.pushes_disconnect = True
        if self.open(exchange, self._format.content_type, self._headers, self._format.start):
            self.write(data)
        else:
            self.on_lost()

    def end(self, disconnect: Disconnect) -> None:
        """End the body, or respond with the status of the failed connect."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None and isinstance(self._session, UnidirectionalSession):
            status, body = _response(self._session.refused_with or disconnect, self._responses)
            exchange.on_closed = None
            exchange.respond(status, body, TEXT if body else b"", self._headers)
        super().end(disconnect)

    def abort(self) -> None:
        """Abort the body, or the connection if there is none yet."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.abort()
        super().abort()

    def _on_closed(self) -> None:
        """The client disconnected while connecting."""
        exchange, self._exchange = self._exchange, None
        self.on_lost()
        if exchange is not None:
            exchange.abort()


class UniStreamEndpoint:
    """Starts sessions. Subclasses extract the connect request."""

    def __init__(
        self, context: ClientContext, stream_format: StreamFormat, responses: ConnectCodeToHttpResponse
    ) -> None:
        self._context = context
        self._format = stream_format
        self._responses = responses

    def _connect(self, exchange: Exchange, admitted: AdmittedRequest, text: bytes) -> None:
        """Start a session with this connect request, or respond 400."""
        try:
            request = decode_json_connect_request(text)
        except MalformedFrame:
            exchange.respond(400, headers=admitted.headers)
            return
        transport = self._transport(exchange, admitted)
        if transport is None:
            return
        session = UnidirectionalSession(self._context, transport, admitted.request_info)
        transport.attach(session)
        if self._context.node.shutting_down:
            session.disconnect(DISCONNECT_SHUTDOWN)
        else:
            session.connect(request)

    def _transport(self, exchange: Exchange, admitted: AdmittedRequest) -> UniStreamTransport | None:
        """Create the transport; None if the client has disconnected."""
        stream_format = self._format
        wire = wire_format(stream_format.name, UNIDIRECTIONAL_JSON, stream_format.delimiting, exchange.body_framing)
        if self._responses.enabled:
            return DeferredResponseTransport(wire, stream_format, exchange, admitted.headers, self._responses)
        transport = UniStreamTransport(wire, stream_format)
        opened = transport.open(exchange, stream_format.content_type, admitted.headers, stream_format.start)
        return transport if opened else None


def _response(failure: Error | Disconnect, responses: ConnectCodeToHttpResponse) -> tuple[int, bytes]:
    """Status and body of a failed connect: the first transform of its code applies.

    Internal errors have none.
    """
    if failure is ERROR_INTERNAL:
        return INTERNAL_SERVER_ERROR
    for transform in responses.transforms:
        if transform.code == failure.code:
            text = transform.to.body or (failure.message if isinstance(failure, Error) else failure.reason)
            return transform.to.status_code, text.encode("utf-8", "replace")
    return INTERNAL_SERVER_ERROR
