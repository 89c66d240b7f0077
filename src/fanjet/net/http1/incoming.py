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


def _drop(_piece: bytes, _last: bool) -> None:
    """Nobody takes it."""
