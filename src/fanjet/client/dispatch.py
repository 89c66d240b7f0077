"""From a command to the operation that it asks for (01 §4.1). A new command is a row here and a module of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from fanjet.protocol.codes import DISCONNECT_BAD_REQUEST, Disconnected

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


class Operation(Struct, frozen=True, eq=False):
    """What a command's field, which has its name, makes the session do.

    The handler queues the reply itself, or raises `ReplyError` or `Disconnected`. `exclusive`: nothing else is started
    before it has ended (01 §4.4). `timed`: it is a command, whose time is counted.
    """

    name: str
    handler: Callable[[Session, int, Any], Coroutine[Any, Any, None]]
    exclusive: bool = False
    timed: bool = True


async def _pong(session: Session, _id: int, _request: Any) -> None:
    if not session.take_pong():
        raise Disconnected(DISCONNECT_BAD_REQUEST)


async def _unknown(_session: Session, _id: int, _request: Any) -> None:
    raise Disconnected(DISCONNECT_BAD_REQUEST)


CONNECT: Final = Operation("connect", connect, exclusive=True)
PONG: Final = Operation("client_pong", _pong, timed=False)
UNKNOWN: Final = Operation("unknown", _unknown, timed=False)
OPERATIONS: Final = (
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
"""In the contract's order: of several the first decides."""


def select(command: Command) -> tuple[Operation, Any]:
    """The operation of a command with its request (01 §4.1)."""
    if not command.id and command.send is None:
        return PONG, None
    if command.connect is not None:
        return CONNECT, command.connect
    for operation in OPERATIONS:
        request = getattr(command, operation.name)
        if request is not None:
            return operation, request
    return UNKNOWN, None
