"""One request and its response."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from .access_log_hooks import Done, ObservedConnection
from .expect_continue import BodyTooLarge, UnreadableBody
from .request import Request
from .response import NO_SNIFFING, TEXT
from .stream import BodyFraming, ResponseStream, StreamOwner, unframed

log = logging.getLogger(__name__)


class ExchangeConnection(Protocol):
    """The connection of an exchange."""

    def send_response(
        self, status: int, body: bytes, content_type: bytes, headers: Sequence[tuple[bytes, bytes]]
    ) -> None:
        """Write the response and continue with the next request."""

    @property
    def body_framing(self) -> BodyFraming:
        """The framing applied to chunks of a streamed body."""

    def begin_stream(
        self, status: int, content_type: bytes, headers: Sequence[tuple[bytes, bytes]], owner: StreamOwner
    ) -> ResponseStream:
        """Write the head of a response with a streamed body."""

    def upgrade(self, head: bytes, make_protocol: Callable[[asyncio.Transport], asyncio.Protocol]) -> None:
        """Write `head` and hand over the socket."""

    def abort(self) -> None:
        """Abort the connection."""


class Exchange(msgspec.Struct, eq=False):
    """A request that awaits one answer, now or later.

    The answer is exactly one of `respond`, `stream`, `upgrade` and `abort`. Once it is answered or the client has
    disconnected, all four do nothing.
    """

    request: Request
    _connection: ExchangeConnection | None
    status: int = 0
    """The status of the response, 0 before it."""
    closed: bool = False
    """Whether the connection was lost before the response."""
    on_closed: Callable[[], None] | None = None
    """Called once when the client stops sending, which is how it usually disconnects, or is lost before the response.
    Until the connection is lost a response is still written, as some clients only close their sending side."""

    def respond(
        self,
        status: int,
        body: bytes = b"",
        content_type: bytes = b"",
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """Send the response.

        Length, date and connection headers are added; a body is omitted where HTTP forbids it.
        """
        connection = self._connection
        if connection is not None:
            self._connection = None
            self.status = status
            connection.send_response(status, body, content_type, headers)

    @property
    def body_framing(self) -> BodyFraming:
        """The framing to apply to chunks of a streamed body before they are written."""
        return unframed if self._connection is None else self._connection.body_framing

    def stream(
        self,
        status: int,
        owner: StreamOwner,
        content_type: bytes = b"",
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> ResponseStream | None:
        """Start a response with a streamed body.

        Returns None when the exchange is over; the owner is not notified.
        """
        connection = self._connection
        if connection is None:
            return None
        self._connection = None
        self.status = status
        return connection.begin_stream(status, content_type, headers, owner)

    def upgrade(self, head: bytes, make_protocol: Callable[[asyncio.Transport], asyncio.Protocol]) -> None:
        """Write a complete 101 response and hand the socket to the protocol.

        Calls its `connection_made`. Received bytes are never passed on: if any followed the request, the connection is
        dropped instead and no protocol is created (02 section 6.2).
        """
        connection = self._finish(101)
        if connection is not None:
            connection.upgrade(head, make_protocol)

    def abort(self) -> None:
        """Close the connection without a response."""
        connection = self._finish(0)
        if connection is not None:
            connection.abort()

    def observe(self, done: Done) -> None:
        """Call `done` when the response is complete. Must be called before it starts."""
        if self._connection is not None:
            self._connection = ObservedConnection(self._connection, done)

    def on_peer_lost(self, *, answerable: bool) -> None:
        """Handle that the client stopped sending, or that the connection is lost.

        Called by the connection; not `answerable` means that the connection is lost.
        """
        if self._connection is None:
            return
        if not answerable:
            self._connection = None
            self.closed = True
        on_closed, self.on_closed = self.on_closed, None
        if on_closed is not None:
            on_closed()

    def _finish(self, status: int) -> ExchangeConnection | None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self.status = status
        return connection


def respond_with_error(exchange: Exchange, failure: Exception) -> None:
    """Respond to an exception of an endpoint with 413 or 500.

    Client errors are not logged (05 §2.3).
    """
    if isinstance(failure, BodyTooLarge):
        exchange.respond(413)
        return
    if not isinstance(failure, UnreadableBody):
        log.error("endpoint failed", extra={"path": exchange.request.path}, exc_info=failure)
    exchange.respond(500, b"Internal Server Error\n", TEXT, (NO_SNIFFING,))
