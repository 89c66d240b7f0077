"""From a command to the operation that it asks for (01 §4.1). A new command is a row here and a module of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fanjet.protocol.codes import DISCONNECT_BAD_REQUEST, ERROR_NOT_AVAILABLE, Disconnected, ReplyError

from .connect import connect
from .history import history
from .presence import presence, presence_stats
from .publish import publish
from .refresh import refresh
from .rpc import rpc
from .send import send
from .sub_refresh import sub_refresh
from .subscribe import subscribe
from .unsubscribe import unsubscribe_command

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fanjet.protocol.messages import Command

    from .session import Session


class Operation(NamedTuple):
    """What a command's field makes the session do. `exclusive`: nothing else is started before it has ended (01
    §4.4).
    """

    field: str
    handler: Callable[[Session, int, Any], Coroutine[Any, Any, None]]
    exclusive: bool = False

    def run(self, session: Session, command: Command) -> Coroutine[Any, Any, None]:
        """The work, not started yet. It queues the reply itself, or raises `ReplyError` or `Disconnected`."""
        return self.handler(session, command.id, getattr(command, self.field))


CONNECT = Operation("connect", connect, exclusive=True)
OPERATIONS = (
    Operation("subscribe", subscribe),
    Operation("unsubscribe", unsubscribe_command, exclusive=True),
    Operation("publish", publish),
    Operation("presence", presence),
    Operation("presence_stats", presence_stats),
    Operation("history", history),
    Operation("rpc", rpc),
    Operation("send", send),
    Operation("refresh", refresh),
    Operation("sub_refresh", sub_refresh),
)
"""In the contract's order: of several fields the first decides."""


def select(session: Session, command: Command) -> Operation | None:
    """The operation of a command, None for a pong. Raises `Disconnected` and `ReplyError` as 01 §4.1 says."""
    if command.connect is None and not session.authenticated:
        raise Disconnected(DISCONNECT_BAD_REQUEST)
    if not command.id and command.send is None:
        if not session.take_pong():
            raise Disconnected(DISCONNECT_BAD_REQUEST)
        return None
    if command.connect is not None:
        return CONNECT
    found = next((one for one in OPERATIONS if getattr(command, one.field) is not None), None)
    if found is None:
        raise Disconnected(DISCONNECT_BAD_REQUEST)
    if command.ping is not None:
        raise ReplyError(ERROR_NOT_AVAILABLE)
    return found
