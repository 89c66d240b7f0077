"""Maps a command to its operation (01 §4.1).

A new command is a row, a branch and a module of its own.
"""

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
    from collections.abc import Callable

    from fanjet.client.session_interface import SessionInterface
    from fanjet.net.aio import Work
    from fanjet.protocol.messages import Command


class Operation(Struct, frozen=True, eq=False):
    """The handler of one field of a command, named after it.

    The handler queues the reply, or raises `ReplyError` or `Disconnected`; it returns a coroutine if it has to wait, to
    be run at once: an unneeded one would cost 0.2 µs. `exclusive`: no other command starts until it ends (01 §4.4).
    `timed`: its duration is observed. `on_channel`: its request names a channel.
    """

    name: str
    handler: Callable[[SessionInterface, int, Any], Work | None]
    exclusive: bool = False
    timed: bool = True
    on_channel: bool = False


def _pong(session: SessionInterface, _id: int, _request: Any) -> None:
    if not session.on_pong():
        raise Disconnected(DISCONNECT_BAD_REQUEST)


def _unknown(_session: SessionInterface, _id: int, _request: Any) -> None:
    raise Disconnected(DISCONNECT_BAD_REQUEST)


CONNECT: Final = Operation("connect", connect, exclusive=True)
PONG: Final = Operation("client_pong", _pong, timed=False)
UNKNOWN: Final = Operation("unknown", _unknown, timed=False)
SUBSCRIBE: Final = Operation("subscribe", subscribe, on_channel=True)
UNSUBSCRIBE: Final = Operation("unsubscribe", unsubscribe_command, exclusive=True, on_channel=True)
PUBLISH: Final = Operation("publish", publish, on_channel=True)
PRESENCE: Final = Operation("presence", presence, on_channel=True)
PRESENCE_STATS: Final = Operation("presence_stats", presence_stats, on_channel=True)
HISTORY: Final = Operation("history", history, on_channel=True)
RPC: Final = Operation("rpc", rpc)
SEND: Final = Operation("send", send)
REFRESH: Final = Operation("refresh", refresh)
SUB_REFRESH: Final = Operation("sub_refresh", sub_refresh, on_channel=True)


def select(command: Command) -> tuple[Operation, Any]:
    """Return the operation and request of a command.

    Of several fields, the first in the contract's order applies (01 §4.1).
    """
    if not command.id and command.send is None:
        return PONG, None
    if command.connect is not None:
        return CONNECT, command.connect
    if command.subscribe is not None:
        return SUBSCRIBE, command.subscribe
    if command.unsubscribe is not None:
        return UNSUBSCRIBE, command.unsubscribe
    if command.publish is not None:
        return PUBLISH, command.publish
    if command.presence is not None:
        return PRESENCE, command.presence
    if command.presence_stats is not None:
        return PRESENCE_STATS, command.presence_stats
    if command.history is not None:
        return HISTORY, command.history
    if command.rpc is not None:
        return RPC, command.rpc
    if command.send is not None:
        return SEND, command.send
    if command.refresh is not None:
        return REFRESH, command.refresh
    if command.sub_refresh is not None:
        return SUB_REFRESH, command.sub_refresh
    return UNKNOWN, None
