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
    """What a command's field makes the session do.

    The handler queues the reply itself, or raises `ReplyError` or `Disconnected`. `exclusive`: nothing else is started
    before it has ended (01 §4.4).
    """

    handler: Callable[[Session, int, Any], Coroutine[Any, Any, None]]
    exclusive: bool = False


CONNECT = Operation(connect, exclusive=True)
OPERATIONS = (
    ("subscribe", Operation(subscribe)),
    ("unsubscribe", Operation(unsubscribe_command, exclusive=True)),
    ("publish", Operation(publish)),
    ("presence", Operation(presence)),
    ("presence_stats", Operation(presence_stats)),
    ("history", Operation(history)),
    ("rpc", Operation(rpc)),
    ("send", Operation(send)),
    ("refresh", Operation(refresh)),
    ("sub_refresh", Operation(sub_refresh)),
)
"""By the command's field, in the contract's order: of several the first decides."""


def select(session: Session, command: Command) -> tuple[Operation, Any] | None:
    """The operation of a command with its request, None for a pong. Raises `Disconnected`, `ReplyError` (01 §4.1)."""
    if not session.authenticated and command.connect is None:
        raise Disconnected(DISCONNECT_BAD_REQUEST)
    if not command.id and command.send is None:
        if not session.take_pong():
            raise Disconnected(DISCONNECT_BAD_REQUEST)
        return None
    if command.connect is not None:
        return CONNECT, command.connect
    for field, operation in OPERATIONS:
        request = getattr(command, field)
        if request is not None:
            if command.ping is not None:
                raise ReplyError(ERROR_NOT_AVAILABLE)
            return operation, request
    raise Disconnected(DISCONNECT_BAD_REQUEST)
