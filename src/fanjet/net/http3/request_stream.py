"""One HTTP/3 request and its response."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from aioquic.h3.connection import ErrorCode

from ..http1.body_stream import BodyStreamFeeder, StreamedRequest
from ..http1.errors import BadRequest
from ..http1.exchange import Exchange, respond_with_error
from ..http1.expect_continue import BodylessRequest, BodyTooLarge, BodyUnavailable, ContinueRequired
from ..http1.request import Request
from ..http1.response import NO_SNIFFING, TEXT, has_body
from ..http1.stream import BodyFraming, StreamOwner, unframed
from ..http2.head import parse_head, protocol_of
from ..http2.request_fields import MalformedRequest, check_fields
from ..http2.response_fields import response_fields
from ..timing_wheel import NOT_SCHEDULED
from .exchange import WEBTRANSPORT_PROTOCOLS, WebTransportExchange

if TYPE_CHECKING:
    from ..http1.head import Head
    from ..http2.header_blocks import Field
    from ..router import Route
    from .connection import Http3Connection
    from .webtransport import WebTransportConnection

VERSION: Final = "3.0"

HEADER_SECONDS: Final = 10.0
REQUEST_SECONDS: Final = 30.0
WRITE_SECONDS: Final = 10.0


class _State(IntEnum):
    RECEIVING = 0
    ANSWERING = 1  # the endpoint was called
    STREAMING = 2  # the response's body is being written
    FINISHED = 3  # the response is written, but maybe not sent
    ENDED = 4


class RequestStream:
    """Collects a request, then serves as its connection and response body.

    It is the connection of the request's exchange, and the body of a streamed response. It is in the wheel while it
    waits for the client: for headers, body, or to read the response.
    """

    __slots__ = (
        "_body",
        "_connection",
        "_exchange",
        "_feed",
        "_head",
        "_owner",
        "_received",
        "_route",
        "_size",
        "_state",
        "blocked",
        "id",
        "wheel_slot",
    )

    def __init__(self, connection: "Http3Connection", stream_id: int) -> None:
        self.id = stream_id
        self.blocked = False
        self.wheel_slot = NOT_SCHEDULED
        self._connection = connection
        self._state = _State.RECEIVING
        self._head: Head | None = None
        self._route: Route | None = None
        self._body: list[bytes] = []
        self._size = 0
        self._received = False
        self._exchange: Exchange | None = None
        self._feed: BodyStreamFeeder | None = None
        self._owner: StreamOwner | None = None
        self._set_timeout(HEADER_SECONDS)

    # Called by the connection.

    def on_headers(self, fields: "Sequence[Field]", *, ended: bool) -> None:
        """The request's headers, or its trailers, which are ignored."""
        if self._state is _State.RECEIVING and self._head is None:
            try:
                self._parse_head(fields)
            except MalformedRequest:
                self._connection.reset(self.id, ErrorCode.H3_MESSAGE_ERROR)
                self._end()
            except BadRequest as fault:
                self.send_response(fault.status, fault.detail.encode() + b"\n", TEXT, (NO_SNIFFING,))
        if ended:
            self._on_end()

    def on_data(self, data: bytes, *, ended: bool) -> None:
        """A chunk of the request body. After a session request only its end matters."""
        if self._feed is not None:
            self._feed.on_data(data)
            self._set_chunk_timeout()
        elif self._state is _State.RECEIVING:
            self._body.append(data)
            self._size += len(data)
            self._limit_body(self._size)
        if ended:
            self._on_end()

    def cancel(self) -> None:
        """The stream is not a request."""
        self._end()

    def on_blocked(self) -> None:
        """Written data is still queued."""
        if self._state is _State.FINISHED:
            self._set_timeout(WRITE_SECONDS)
        elif self._owner is not None:
            self._owner.on_blocked()

    def on_sent(self) -> None:
        """All written data was sent."""
        if self._state is _State.FINISHED:
            self._end()
        elif self._owner is not None and self.blocked:
            self.blocked = False
            self._owner.on_writable()

    def on_lost(self) -> None:
        """The client reset the request, or the connection is lost."""
        owner, exchange = self._owner, self._exchange
        self._end()
        if owner is not None:
            owner.on_lost()
        elif exchange is not None:
            exchange.on_peer_lost(answerable=False)

    def on_timer(self, now: float) -> None:
        """The client timed out; it gets no response (02 section 3.1)."""
        self._connection.reset(self.id, ErrorCode.H3_REQUEST_REJECTED)
        self.on_lost()

    # Called by the body.

    def pause(self) -> None:
        """Stop extending the client's window."""
        self._connection.quic.paused_streams.add(self.id)
        self._connection.server.wheel.cancel(self)

    def resume(self) -> None:
        """Continue after `pause`."""
        self._connection.quic.paused_streams.discard(self.id)
        self._connection.transmit()
        self._set_chunk_timeout()

    def send_continue(self) -> None:
        """Send 100 Continue."""
        self._connection.send_headers(self.id, [(b":status", b"100")])

    # Called by the exchange and the body's owner.

    def send_response(self, status: int, body: bytes, content_type: bytes, headers: "Sequence[Field]") -> None:
        """Write the complete response."""
        if self._state > _State.ANSWERING:
            return
        fields = response_fields(status, content_type if has_body(status) else b"", headers)
        wanted = self._head is None or self._head.method != "HEAD"
        if has_body(status) and (body or wanted):
            fields.append((b"content-length", b"%d" % len(body)))
        if not wanted or not has_body(status):
            body = b""
        self._enter(_State.FINISHED)
        self._connection.send_headers(self.id, fields, end=not body)
        if body:
            self._connection.send_data(self.id, body, end=True)
        if not self._received:
            self._connection.quic.stop_reading(self.id, ErrorCode.H3_NO_ERROR)
        self._connection.on_written(self, len(body))

    @property
    def body_framing(self) -> BodyFraming:
        """HTTP/3 frames bodies itself."""
        return unframed

    def begin_stream(
        self, status: int, content_type: bytes, headers: "Sequence[Field]", owner: StreamOwner
    ) -> "RequestStream":
        """Write the head of a response; from now on `owner` receives the stream's events."""
        if self._state is not _State.ANSWERING:
            asyncio.get_running_loop().call_soon(owner.on_lost)
            return self
        self._enter(_State.STREAMING)
        self._owner = owner
        self._connection.send_headers(self.id, response_fields(status, content_type, headers))
        self._connection.on_written(self, 0)
        return self

    def write(self, data: bytes) -> None:
        """Write a chunk of the body."""
        if self._state is _State.STREAMING:
            self._connection.send_data(self.id, data)
            self._connection.on_written(self, len(data))

    def finish(self) -> None:
        """End the body."""
        if self._state is _State.STREAMING:
            self._enter(_State.FINISHED)
            self._owner = None
            self._connection.send_data(self.id, b"", end=True)
            if self.blocked:
                self._set_timeout(WRITE_SECONDS)
            self._connection.on_written(self, 0)

    def accept_session(self, session: "WebTransportConnection", headers: "Sequence[Field]") -> None:
        """Respond 200 and leave this stream to the session."""
        if self._state is not _State.ANSWERING:
            return
        connection = self._connection
        self._end()
        connection.send_headers(self.id, response_fields(200, b"", headers))
        connection.begin_session(self.id, session)

    def upgrade(self, head: bytes, make_protocol: Callable[[asyncio.Transport], asyncio.Protocol]) -> None:
        """Refuse: there is no socket to hand over (02 section 3.4)."""
        self.send_response(400, b"Bad Request\n", TEXT, (NO_SNIFFING,))

    def abort(self) -> None:
        """Reset the stream."""
        self._connection.reset(self.id, ErrorCode.H3_INTERNAL_ERROR)
        self._end()

    # Internals.

    def _parse_head(self, fields: "Sequence[Field]") -> None:
        """Find the route, and wait for the body.

        Raises `MalformedRequest` and `BadRequest`.
        """
        check_fields(fields, extended_connect=True)
        head = self._head = parse_head(fields, VERSION)
        self._route = self._connection.server.routes.find(head)
        if protocol := protocol_of(fields):
            self._start(protocol=protocol)
            return
        if self._route.streamed:
            self._feed = BodyStreamFeeder(self, awaited=head.expects_continue and head.content_length != 0)
            self._start()
            return
        self._set_timeout(REQUEST_SECONDS)
        self._limit_body(head.content_length)
        if self._state is _State.RECEIVING and head.expects_continue and head.content_length:
            self._start(ContinueRequired)

    def _limit_body(self, size: int) -> None:
        limit = self._route.max_body if self._route is not None else None
        if limit is not None and size > limit and self._state is _State.RECEIVING:
            self._start(BodyTooLarge)

    def _on_end(self) -> None:
        self._received = True
        if self._feed is not None:
            self._feed.on_end()
            self._set_chunk_timeout()
        elif self._state is _State.RECEIVING:
            self._start()

    def _start(self, missing: type[BodyUnavailable] | None = None, *, protocol: bytes = b"") -> None:
        """Call the endpoint.

        The rest of the body is discarded, unless it was `missing` and the endpoint asks for it.
        """
        self._enter(_State.ANSWERING)
        connection, head, route = self._connection, self._head, self._route
        if head is None or route is None:
            self.abort()  # the stream ended before its headers did
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body = []
        is_session = protocol in WEBTRANSPORT_PROTOCOLS and connection.server.webtransport
        make = WebTransportExchange if is_session else Exchange
        if self._feed is not None:
            request: Request = StreamedRequest(head, b"", connection.peer, True, self._feed.body)
        elif missing is None:
            request = Request(head, body, connection.peer, tls=True)
        else:
            request = BodylessRequest(head, b"", connection.peer, True, missing)
        exchange = self._exchange = make(request, self)
        try:
            route.endpoint(exchange)
        except ContinueRequired as awaited:
            self._receive(replace(route, endpoint=awaited.endpoint or route.endpoint))
        except Exception as failure:
            respond_with_error(exchange, failure)

    def _receive(self, route: "Route") -> None:
        """Have the client send the body, for this route."""
        self._enter(_State.RECEIVING)
        self._route = route
        self._set_timeout(REQUEST_SECONDS)
        self._connection.send_headers(self.id, [(b":status", b"100")])

    def _enter(self, state: _State) -> None:
        """Change the state."""
        self._state = state
        self._exchange = None
        if self._feed is not None and state > _State.STREAMING:
            self._feed = None
            self._connection.quic.paused_streams.discard(self.id)
        self._connection.server.wheel.cancel(self)

    def _end(self) -> None:
        """End the request."""
        self._enter(_State.ENDED)
        self._owner = None
        self._connection.forget(self.id)

    def _set_chunk_timeout(self) -> None:
        if self._feed is not None and self._feed.reading:
            self._set_timeout(REQUEST_SECONDS)
        elif self._state <= _State.STREAMING:
            self._connection.server.wheel.cancel(self)

    def _set_timeout(self, seconds: float) -> None:
        wheel = self._connection.server.wheel
        wheel.schedule(self, wheel.clock() + seconds)
