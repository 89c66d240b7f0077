"""Request bodies that are taken piece by piece, for endpoints that do not want them whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .request import Request

if TYPE_CHECKING:
    from collections.abc import Callable


class Feeding(Protocol):
    """The connection, as the body on it sees it."""

    def read_body(self, *, give_leave: bool) -> None:
        """Deliver pieces; `give_leave`: tell the client to send the body."""

    def hold_body(self) -> None:
        """Deliver no more pieces."""


class IncomingBody:
    """A body on its way. Nothing comes before `start`."""

    __slots__ = ("_awaited", "_connection", "on_piece")

    def __init__(self, connection: Feeding, *, awaited: bool) -> None:
        """`awaited`: the client waits for leave to send it."""
        self._connection = connection
        self._awaited = awaited
        self.on_piece: Callable[[bytes, bool], None] = _drop

    def start(self, on_piece: Callable[[bytes, bool], None]) -> None:
        """Let `on_piece` have each piece, and whether it is the last, which may be empty; not once the connection is
        lost."""
        self.on_piece = on_piece
        awaited, self._awaited = self._awaited, False
        self._connection.read_body(give_leave=awaited)

    def hold(self) -> None:
        """Enough for now: let the client wait."""
        self._connection.hold_body()

    def release(self) -> None:
        """Go on after `hold`."""
        self._connection.read_body(give_leave=False)


class StreamedRequest(Request, frozen=True, eq=False):
    """A request whose body comes piece by piece."""

    incoming: IncomingBody


class Holdable(Protocol):
    """A stream among others on its connection (HTTP/2, HTTP/3)."""

    def hold(self) -> None:
        """Let the client send what is left of its window, and no more."""

    def release(self) -> None:
        """Go on after `hold`."""

    def give_leave(self) -> None:
        """Tell the client to send the body."""


class StreamFeed:
    """Feeds a body from a stream. What comes although nobody reads is kept: the client's window bounds it."""

    __slots__ = ("_ended", "_kept", "_stream", "body", "reading")

    reading: bool
    """Whether the next piece is waited for."""

    def __init__(self, stream: Holdable, *, awaited: bool) -> None:
        """`awaited`: the client waits for leave to send the body."""
        self.body = IncomingBody(self, awaited=awaited)
        self._stream = stream
        self._kept: list[bytes] = []
        self.reading = False
        self._ended = False
        stream.hold()

    def on_data(self, data: bytes) -> None:
        """A piece came."""
        self._kept.append(data)
        self._pass_on()

    def on_end(self) -> None:
        """The body is complete."""
        self._ended = True
        self._pass_on()

    def read_body(self, *, give_leave: bool) -> None:
        """See `Feeding`."""
        if give_leave:
            self._stream.give_leave()
        self.reading = True
        self._pass_on()
        if self.reading:
            self._stream.release()

    def hold_body(self) -> None:
        """See `Feeding`."""
        self.reading = False
        self._stream.hold()

    def _pass_on(self) -> None:
        while self._kept and self.reading:
            self.body.on_piece(self._kept.pop(0), self._ended and not self._kept)
            if self._ended and not self._kept:
                self.reading = False
        if self._ended and self.reading:
            self.reading = False
            self.body.on_piece(b"", True)


def _drop(_piece: bytes, _last: bool) -> None:
    """Nobody takes it."""
