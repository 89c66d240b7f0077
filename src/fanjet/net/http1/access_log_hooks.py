"""Observes the status of responses, for access logs and metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from .exchange import ExchangeConnection
    from .stream import BodyFraming, ResponseStream, StreamOwner

Done = Callable[[int], None]
"""Called with the status once the response is complete, 0 if there was none."""


class ObservedConnection:
    """Wraps the connection of an exchange."""

    __slots__ = ("_connection", "_done")

    def __init__(self, connection: ExchangeConnection, done: Done) -> None:
        self._connection = connection
        self._done = done

    @property
    def body_framing(self) -> BodyFraming:
        """See `ExchangeConnection`."""
        return self._connection.body_framing

    def send_response(
        self, status: int, body: bytes, content_type: bytes, headers: Sequence[tuple[bytes, bytes]]
    ) -> None:
        """See `ExchangeConnection`."""
        self._connection.send_response(status, body, content_type, headers)
        self._done(status)

    def begin_stream(
        self, status: int, content_type: bytes, headers: Sequence[tuple[bytes, bytes]], owner: StreamOwner
    ) -> ResponseStream:
        """See `ExchangeConnection`."""
        watched = ObservedStream(owner, lambda: self._done(status))
        watched.begin(self._connection.begin_stream(status, content_type, headers, watched))
        return watched

    def upgrade(self, head: bytes, make_protocol: Callable[[asyncio.Transport], asyncio.Protocol]) -> None:
        """See `ExchangeConnection`."""
        self._connection.upgrade(head, make_protocol)
        self._done(101)

    def accept_session(self, session: Any, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """For streams that can become a WebTransport session."""
        cast("Any", self._connection).accept_session(session, headers)
        self._done(200)

    def open_tunnel(
        self,
        headers: Sequence[tuple[bytes, bytes]],
        make_protocol: Callable[[asyncio.Transport], asyncio.Protocol],
    ) -> None:
        """For streams that can become a tunnel."""
        cast("Any", self._connection).open_tunnel(headers, make_protocol)
        self._done(200)

    def accept_socket(self, *how: Any) -> None:
        """For ASGI servers, which perform the WebSocket handshake."""
        cast("Any", self._connection).accept_socket(*how)
        self._done(101)

    def abort(self) -> None:
        """See `ExchangeConnection`."""
        self._connection.abort()
        self._done(0)


class ObservedStream:
    """Wraps a streamed body and its owner. Writes go directly to the body."""

    __slots__ = ("_ended", "_owner", "_stream", "write")

    write: Callable[[bytes], None]

    def __init__(self, owner: StreamOwner, ended: Callable[[], None]) -> None:
        self._owner: StreamOwner | None = owner
        self._ended = ended
        self._stream: ResponseStream | None = None

    def begin(self, stream: ResponseStream) -> None:
        """Set the wrapped body."""
        self._stream = stream
        self.write = stream.write

    def finish(self) -> None:
        """See `ResponseStream`."""
        stream = self._end()
        if stream is not None:
            stream.finish()

    def abort(self) -> None:
        """See `ResponseStream`."""
        stream = self._end()
        if stream is not None:
            stream.abort()

    def on_blocked(self) -> None:
        """See `StreamOwner`."""
        if self._owner is not None:
            self._owner.on_blocked()

    def on_writable(self) -> None:
        """See `StreamOwner`."""
        if self._owner is not None:
            self._owner.on_writable()

    def on_lost(self) -> None:
        """See `StreamOwner`."""
        owner = self._owner
        self._end()
        if owner is not None:
            owner.on_lost()

    def _end(self) -> ResponseStream | None:
        """Drop both references, which form a cycle.

        The garbage collector does not run on connections.
        """
        stream, self._stream = self._stream, None
        self._owner = None
        if stream is not None:
            self._ended()
        return stream
