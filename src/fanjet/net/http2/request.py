"""One HTTP/2 request and its response."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from h2.errors import ErrorCodes

from ..extended_connect import TunnelExchange
from ..http1.body_stream import BodyStreamFeeder, StreamedRequest
from ..http1.errors import BadRequest
from ..http1.exchange import Exchange, respond_with_error
from ..http1.expect_continue import BodylessRequest, BodyTooLarge, BodyUnavailable, ContinueRequired, UnreadableBody
from ..http1.request import Request
from ..http1.response import CLOSE_CONNECTION, NO_SNIFFING, TEXT, has_body
from ..http1.stream import BodyFraming, ResponseStream, StreamOwner, unframed
from ..timing_wheel import NOT_SCHEDULED
from .head import parse_head, protocol_of
from .request_fields import MalformedRequest
from .response_fields import response_fields
from .tunnel import Tunnel

if TYPE_CHECKING:
    from ..http1.head import Head
    from ..router import Endpoint, Route, Routes
    from ..timing_wheel import TimingWheel
    from .header_blocks import Field
    from .stream import Http2Stream, StreamReceiver

REQUEST_SECONDS: Final = 30.0
WRITE_SECONDS: Final = 10.0


class Http2Requests:
    """Handles streams with the endpoints of one listener: the `accept` of its server."""

    __slots__ = ("common_headers", "routes", "tls", "wheel")

    def __init__(
        self, routes: "Routes", wheel: "TimingWheel", *, tls: bool, common_headers: "Sequence[Field]" = ()
    ) -> None:
        """`common_headers` are added to every response."""
        self.common_headers = common_headers
        self.routes = routes
        self.wheel = wheel
        self.tls = tls

    def __call__(self, stream: "Http2Stream") -> "StreamReceiver":
        """Start receiving a request."""
        request = Http2Request(self, stream)
        request.begin()
        return request


class Http2Request:
    """Collects a request, then passes stream events to the body's owner.

    It is also the connection of the request's exchange. It is in the wheel while it waits for the client: for the body,
    or to read the response.
    """

    __slots__ = (
        "_body",
        "_exchange",
        "_feed",
        "_head",
        "_owner",
        "_receiving",
        "_route",
        "_server",
        "_size",
        "_stream",
        "wheel_slot",
    )

    _head: "Head"
    _route: "Route"

    def __init__(self, server: Http2Requests, stream: "Http2Stream") -> None:
        self._server = server
        self._stream = stream
        self._body: list[bytes] = []
        self._size = 0
        self._receiving = True  # the body is being collected
        self._exchange: Exchange | None = None  # being answered
        self._feed: BodyStreamFeeder | None = None  # of a body streamed to its endpoint
        self._owner: StreamOwner | None = None  # of the body that is being written
        self.wheel_slot = NOT_SCHEDULED

    def begin(self) -> None:
        """Check the head: refuse the request, or wait for its body."""
        fields = self._stream.fields
        try:
            head = self._head = parse_head(fields)
        except MalformedRequest:
            self._stream.reset(ErrorCodes.PROTOCOL_ERROR)
            return
        except BadRequest as fault:
            self._refuse(fault.status, fault.detail.encode() + b"\n")
            return
        self._route = self._server.routes.find(head)
        if protocol := protocol_of(fields):
            self._start(TunnelExchange(self._make_request(b""), self, protocol=protocol))
            return
        limit = self._route.max_body
        if self._route.streamed:
            self._start_streamed(head)
        elif limit is not None and head.content_length > limit:
            self._start_unread(BodyTooLarge)
        elif head.expects_continue and head.content_length != 0:
            self._start_unread(ContinueRequired)
        else:
            self._set_timeout(REQUEST_SECONDS)

    # Called by the stream.

    def on_data(self, data: bytes) -> None:
        """A chunk of the body, checked against the declared length and the route's limit."""
        if not self._receiving and self._feed is None:
            return
        self._size += len(data)
        limit = self._route.max_body
        if 0 <= self._head.content_length < self._size:
            self._reset_stream(ErrorCodes.PROTOCOL_ERROR)
        elif self._feed is not None:
            self._feed.on_data(data)
            self._set_chunk_timeout()
        else:
            self._body.append(data)
        if self._receiving and limit is not None and self._size > limit:
            self._start_unread(BodyTooLarge)

    def on_end(self) -> None:
        """The request is complete: call the endpoint."""
        is_short = 0 < self._size < self._head.content_length
        if self._feed is not None:
            if is_short:
                self._reset_stream(ErrorCodes.PROTOCOL_ERROR)
                return
            self._feed.on_end()
            self._set_chunk_timeout()
        elif not self._receiving:
            return
        elif is_short:
            self._start_unread(UnreadableBody)
        else:
            self._start(Exchange(self._make_request(b"".join(self._body)), self))

    def on_reset(self) -> None:
        """The client reset the stream, or the connection is lost."""
        self._clear_timeout()
        self._stop_feeding()
        owner, self._owner = self._owner, None
        exchange, self._exchange = self._exchange, None
        if owner is not None:
            owner.on_lost()
        elif exchange is not None:
            exchange.on_peer_lost(answerable=False)

    def on_blocked(self) -> None:
        """The client does not read the response."""
        if self._owner is not None:
            self._owner.on_blocked()

    def on_writable(self) -> None:
        """Everything was sent."""
        if self._owner is not None:
            self._owner.on_writable()

    def on_timer(self, now: float) -> None:
        """Handle that the body, or reading the response, timed out.

        There is no response to that (02 section 3.1).
        """
        self._reset_stream(ErrorCodes.INTERNAL_ERROR)

    # Called by the body.

    def pause(self) -> None:
        """Stop extending the client's window."""
        self._stream.pause()
        self._clear_timeout()

    def resume(self) -> None:
        """Continue after `pause`."""
        self._stream.resume()
        self._set_chunk_timeout()

    def send_continue(self) -> None:
        """Send 100 Continue."""
        self._stream.send_headers(((b":status", b"100"),))

    # Called by the exchange.

    def send_response(self, status: int, body: bytes, content_type: bytes, headers: "Sequence[Field]") -> None:
        """Send the complete response, which the client must read within the write timeout."""
        self._exchange = None
        self._stop_feeding()
        wanted = has_body(status) and self._head.method != "HEAD"
        all_headers = (*headers, *self._server.common_headers)
        fields = response_fields(status, content_type if has_body(status) else b"", all_headers)
        if has_body(status) and (body or wanted):
            fields.append((b"content-length", b"%d" % len(body)))
        self._send_whole(fields, body if wanted else b"")
        if CLOSE_CONNECTION in headers:
            self._stream.drain_connection()

    @property
    def body_framing(self) -> BodyFraming:
        """None: the stream builds DATA frames."""
        return unframed

    def begin_stream(
        self, status: int, content_type: bytes, headers: "Sequence[Field]", owner: StreamOwner
    ) -> ResponseStream:
        """Send the head of a response; from now on `owner` receives the stream's events."""
        self._exchange = None
        self._owner = owner
        stream = self._stream
        stream.send_headers(response_fields(status, content_type, (*headers, *self._server.common_headers)))
        if stream.blocked:
            asyncio.get_running_loop().call_soon(self._report_blocked)
        return StreamedBody(self, stream)

    def open_tunnel(
        self, headers: "Sequence[Field]", make_protocol: Callable[[asyncio.Transport], asyncio.Protocol]
    ) -> None:
        """Respond 200 and hand over both directions of the stream."""
        self._exchange = None
        stream = self._stream
        stream.send_headers(response_fields(200, b"", headers))
        tunnel = Tunnel(stream)
        stream.receiver = tunnel
        tunnel.begin(make_protocol(tunnel))

    def upgrade(self, head: bytes, make_protocol: Callable[[asyncio.Transport], asyncio.Protocol]) -> None:
        """Abort: HTTP/2 has no upgrade, whose headers are refused."""
        self.abort()

    def abort(self) -> None:
        """Abort without a response."""
        self._exchange = None
        self._stop_feeding()
        self._stream.reset(ErrorCodes.INTERNAL_ERROR)

    def finish_body(self) -> None:
        """For the streamed body: it is complete."""
        if self._owner is not None:
            self._owner = None
            self._stop_feeding()
            self._end_within_bounds(b"")

    def abort_body(self) -> None:
        """For the streamed body: it stays incomplete."""
        if self._owner is not None:
            self._owner = None
            self._stop_feeding()
            self._stream.reset(ErrorCodes.INTERNAL_ERROR)

    # Internals.

    def _make_request(self, body: bytes) -> Request:
        return Request(self._head, body, self._stream.transport, self._server.tls)

    def _start_unread(self, reason: type[BodyUnavailable]) -> None:
        request = BodylessRequest(self._head, b"", self._stream.transport, self._server.tls, reason)
        self._start(Exchange(request, self))

    def _start_streamed(self, head: "Head") -> None:
        self._feed = BodyStreamFeeder(self, awaited=head.expects_continue and head.content_length != 0)
        request = StreamedRequest(head, b"", self._stream.transport, self._server.tls, self._feed.body)
        self._start(Exchange(request, self))

    def _set_chunk_timeout(self) -> None:
        if self._feed is not None and self._feed.reading:
            self._set_timeout(REQUEST_SECONDS)
        elif self._exchange is not None or self._owner is not None:
            self._clear_timeout()

    def _stop_feeding(self) -> None:
        """Discard further chunks, which count towards the connection's window."""
        if self._feed is not None:
            self._feed = None
            self._stream.resume()

    def _reset_stream(self, code: ErrorCodes) -> None:
        """Reset the stream after a client error."""
        self._receiving = False
        self._stream.reset(code)
        self.on_reset()

    def _start(self, exchange: Exchange) -> None:
        """Call the endpoint.

        The rest of the body is discarded unless the endpoint asks for it.
        """
        self._clear_timeout()
        self._receiving = False
        self._exchange = exchange
        self._body = []
        try:
            self._route.endpoint(exchange)
        except ContinueRequired as awaited:
            self._receive(awaited.endpoint)
        except Exception as failure:
            respond_with_error(exchange, failure)

    def _receive(self, endpoint: "Endpoint | None") -> None:
        """Have the client send the body, for `endpoint` if that is another one."""
        self._exchange = None
        self._receiving = True
        if endpoint is not None:
            self._route = replace(self._route, endpoint=endpoint)
        self._set_timeout(REQUEST_SECONDS)
        self._stream.send_headers(((b":status", b"100"),))

    def _refuse(self, status: int, text: bytes) -> None:
        """Respond to an invalid request; the rest of it is ignored."""
        self._receiving = False
        fields = response_fields(status, TEXT, (NO_SNIFFING,))
        fields.append((b"content-length", b"%d" % len(text)))
        self._send_whole(fields, text)

    def _send_whole(self, fields: "list[Field]", body: bytes) -> None:
        if body:
            self._stream.send_headers(fields)
            self._end_within_bounds(body)
        else:
            self._stream.send_headers(fields, end=True)

    def _end_within_bounds(self, body: bytes) -> None:
        stream = self._stream
        stream.send_data(body, end=True)
        if not stream.is_over:
            self._set_timeout(WRITE_SECONDS)

    def _report_blocked(self) -> None:
        if self._owner is not None and self._stream.blocked:
            self._owner.on_blocked()

    def _set_timeout(self, seconds: float) -> None:
        wheel = self._server.wheel
        wheel.schedule(self, wheel.clock() + seconds)

    def _clear_timeout(self) -> None:
        self._server.wheel.cancel(self)


class StreamedBody:
    """A streamed response body."""

    __slots__ = ("_request", "write")

    write: Callable[[bytes], None]

    def __init__(self, request: Http2Request, stream: "Http2Stream") -> None:
        self._request = request
        self.write = stream.send_data

    def finish(self) -> None:
        """End the body, unless the client has disconnected."""
        self._request.finish_body()

    def abort(self) -> None:
        """Reset the stream."""
        self._request.abort_body()
