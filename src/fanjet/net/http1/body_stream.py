"""Request bodies that are taken piece by piece, for endpoints that do not want them whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .request import Request

if TYPE_CHECKING:
    from collections.abc import Callable


class BodySource(Protocol):
    """The connection, as the body on it sees it."""

    def resume_body(self, *, send_continue: bool) -> None:
        """Deliver pieces; `send_continue`: tell the client to send the body."""

    def pause_body(self) -> None:
        """Deliver no more pieces."""


class BodyStream:
    """A body on its way. Nothing comes before `start`."""

    __slots__ = ("_awaited", "_connection", "on_chunk")

    def __init__(self, connection: BodySource, *, awaited: bool) -> None:
        """`awaited`: the client waits for leave to send it."""
        self._connection = connection
        self._awaited = awaited
        self.on_chunk: Callable[[bytes, bool], None] = _drop

    def start(self, on_chunk: Callable[[bytes, bool], None]) -> None:
        """Let `on_chunk` have each piece, and whether it is the last, which may be empty; not once the connection is
        lost."""
        self.on_chunk = on_chunk
        awaited, self._awaited = self._awaited, False
        self._connection.resume_body(send_continue=awaited)

    def pause(self) -> None:
        """Enough for now: let the client wait."""
        self._connection.pause_body()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._connection.resume_body(send_continue=False)


class StreamedRequest(Request, frozen=True, eq=False):
    """A request whose body comes piece by piece."""

    body_stream: BodyStream


class PausableStream(Protocol):
    """A stream among others on its connection (HTTP/2, HTTP/3)."""

    def pause(self) -> None:
        """Let the client send what is left of its window, and no more."""

    def resume(self) -> None:
        """Go on after `pause`."""

    def send_continue(self) -> None:
        """Tell the client to send the body."""


class BodyStreamFeeder:
    """Feeds a body from a stream. What comes although nobody reads is kept: the client's window bounds it."""

    __slots__ = ("_ended", "_kept", "_stream", "body", "reading")

    reading: bool
    """Whether the next piece is waited for."""

    def __init__(self, stream: PausableStream, *, awaited: bool) -> None:
        """`awaited`: the client waits for leave to send the body."""
        self.body = BodyStream(self, awaited=awaited)
        self._stream = stream
        self._kept: list[bytes] = []
        self.reading = False
        self._ended = False
        stream.pause()

    def on_data(self, data: bytes) -> None:
        """A piece came."""
        self._kept.append(data)
        self._pass_on()

    def on_end(self) -> None:
        """The body is complete."""
        self._ended = True
        self._pass_on()

    def resume_body(self, *, send_continue: bool) -> None:
        """See `BodySource`."""
        if send_continue:
            self._stream.send_continue()
        self.reading = True
        self._pass_on()
        if self.reading:
            self._stream.resume()

    def pause_body(self) -> None:
        """See `BodySource`."""
        self.reading = False
        self._stream.pause()

    def _pass_on(self) -> None:
        while self._kept and self.reading:
            self.body.on_chunk(self._kept.pop(0), self._ended and not self._kept)
            if self._ended and not self._kept:
                self.reading = False
        if self._ended and self.reading:
            self.reading = False
            self.body.on_chunk(b"", True)


def _drop(_piece: bytes, _last: bool) -> None:
    """Nobody takes it."""
