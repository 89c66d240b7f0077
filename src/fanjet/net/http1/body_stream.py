"""Request bodies delivered in chunks, for endpoints that stream them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .request import Request

if TYPE_CHECKING:
    from collections.abc import Callable


class BodySource(Protocol):
    """The connection that delivers a streamed body."""

    def resume_body(self, *, send_continue: bool) -> None:
        """Deliver chunks; `send_continue`: send 100 Continue first."""

    def pause_body(self) -> None:
        """Stop delivering chunks."""


class BodyStream:
    """A request body in chunks. Nothing is delivered before `start`."""

    __slots__ = ("_awaited", "_connection", "on_chunk")

    def __init__(self, connection: BodySource, *, awaited: bool) -> None:
        """`awaited`: the client waits for 100 Continue."""
        self._connection = connection
        self._awaited = awaited
        self.on_chunk: Callable[[bytes, bool], None] = _drop

    def start(self, on_chunk: Callable[[bytes, bool], None]) -> None:
        """Call `on_chunk` with each chunk, and whether it is the last.

        The last chunk may be empty. Not called after the connection is lost.
        """
        self.on_chunk = on_chunk
        awaited, self._awaited = self._awaited, False
        self._connection.resume_body(send_continue=awaited)

    def pause(self) -> None:
        """Stop reading from the client."""
        self._connection.pause_body()

    def resume(self) -> None:
        """Continue after `pause`."""
        self._connection.resume_body(send_continue=False)


class StreamedRequest(Request, frozen=True, eq=False):
    """A request whose body is delivered in chunks."""

    body_stream: BodyStream


class PausableStream(Protocol):
    """A stream of a multiplexed connection (HTTP/2, HTTP/3)."""

    def pause(self) -> None:
        """Stop extending the client's window; it may use up the current one."""

    def resume(self) -> None:
        """Continue after `pause`."""

    def send_continue(self) -> None:
        """Send 100 Continue."""


class BodyStreamFeeder:
    """Delivers a body from a multiplexed stream.

    Chunks received while paused are buffered: the client's window bounds them.
    """

    __slots__ = ("_buffered", "_ended", "_stream", "body", "reading")

    reading: bool
    """Whether the next chunk is awaited."""

    def __init__(self, stream: PausableStream, *, awaited: bool) -> None:
        """`awaited`: the client waits for 100 Continue."""
        self.body = BodyStream(self, awaited=awaited)
        self._stream = stream
        self._buffered: list[bytes] = []
        self.reading = False
        self._ended = False
        stream.pause()

    def on_data(self, data: bytes) -> None:
        """A chunk was received."""
        self._buffered.append(data)
        self._deliver()

    def on_end(self) -> None:
        """The body is complete."""
        self._ended = True
        self._deliver()

    def resume_body(self, *, send_continue: bool) -> None:
        """See `BodySource`."""
        if send_continue:
            self._stream.send_continue()
        self.reading = True
        self._deliver()
        if self.reading:
            self._stream.resume()

    def pause_body(self) -> None:
        """See `BodySource`."""
        self.reading = False
        self._stream.pause()

    def _deliver(self) -> None:
        while self._buffered and self.reading:
            self.body.on_chunk(self._buffered.pop(0), self._ended and not self._buffered)
            if self._ended and not self._buffered:
                self.reading = False
        if self._ended and self.reading:
            self.reading = False
            self.body.on_chunk(b"", True)


def _drop(_piece: bytes, _last: bool) -> None:
    """Discard a chunk."""
