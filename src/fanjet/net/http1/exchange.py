"""One request and its answer."""

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
    """The connection, as its exchange sees it."""

    def send_response(
        self, status: int, body: bytes, content_type: bytes, headers: Sequence[tuple[bytes, bytes]]
    ) -> None:
        """Write the response and go on to the next request."""

    @property
    def body_framing(self) -> BodyFraming:
        """What pieces of a streamed body go through."""

    def begin_stream(
        self, status: int, content_type: bytes, headers: Sequence[tuple[bytes, bytes]], owner: StreamOwner
    ) -> ResponseStream:
        """Write the head of a response whose body follows bit by bit."""

    def upgrade(self, head: bytes, make_protocol: Callable[[asyncio.Transport], asyncio.Protocol]) -> None:
        """Write `head` and give the socket away."""

    def abort(self) -> None:
        """Tear the socket down."""


class Exchange(msgspec.Struct, eq=False):
    """A request that waits for exactly one of `respond`, `stream`, `upgrade` and `abort`, now or later.

    Once the exchange is over, be it answered or the peer gone, all four do nothing.
    """

    request: Request
    _connection: ExchangeConnection | None
    status: int = 0
    """The status that was answered, 0 before."""
    closed: bool = False
    """Whether the connection was lost unanswered."""
    on_closed: Callable[[], None] | None = None
    """Called once when the peer stops sending, which is how it usually leaves, or is lost unanswered. Until the
    connection is lost an answer is still written, since some clients only close their sending side."""

    def respond(
        self,
        status: int,
        body: bytes = b"",
        content_type: bytes = b"",
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """Answer. Length, date and connection headers are added, and the body is left out where it may not be."""
        connection = self._connection
        if connection is not None:
            self._connection = None
            self.status = status
            connection.send_response(status, body, content_type, headers)

    @property
    def body_framing(self) -> BodyFraming:
        """What pieces of a streamed body have to go through before they are written."""
        return unframed if self._connection is None else self._connection.body_framing

    def stream(
        self,
        status: int,
        owner: StreamOwner,
        content_type: bytes = b"",
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> ResponseStream | None:
        """Begin an answer whose body is written bit by bit. None when the exchange is over: the owner is not told."""
        connection = self._connection
        if connection is None:
            return None
        self._connection = None
        self.status = status
        return connection.begin_stream(status, content_type, headers, owner)

    def upgrade(self, head: bytes, make_protocol: Callable[[asyncio.Transport], asyncio.Protocol]) -> None:
        """Write a whole 101 response and hand the socket to the protocol, whose `connection_made` is called.

        Nothing that was received belongs to the new protocol: when bytes have followed the request, the connection is
        dropped instead, and no protocol made (02 section 6.2).
        """
        connection = self._finish(101)
        if connection is not None:
            connection.upgrade(head, make_protocol)

    def abort(self) -> None:
        """Close the connection without an answer."""
        connection = self._finish(0)
        if connection is not None:
            connection.abort()

    def observe(self, done: Done) -> None:
        """Have `done` called when the answer is complete. To be asked for before it begins."""
        if self._connection is not None:
            self._connection = ObservedConnection(self._connection, done)

    def on_peer_lost(self, *, answerable: bool) -> None:
        """For the connection: the peer stopped sending, or (not `answerable`) the connection is lost."""
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
    """Answer what an endpoint raised: 413 or 500, with nothing in the log where the request is to blame (05 §2.3)."""
    if isinstance(failure, BodyTooLarge):
        exchange.respond(413)
        return
    if not isinstance(failure, UnreadableBody):
        log.error("endpoint failed", extra={"path": exchange.request.path}, exc_info=failure)
    exchange.respond(500, b"Internal Server Error\n", TEXT, (NO_SNIFFING,))
