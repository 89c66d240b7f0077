"""Command `rpc` (01 §6.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.protocol.codes import ERROR_METHOD_NOT_FOUND, ERROR_NOT_AVAILABLE, ReplyError
from fanjet.protocol.messages import RPCResult

if TYPE_CHECKING:
    from fanjet.protocol.messages import RPCRequest

    from .session import Session


async def rpc(session: Session, command_id: int, request: RPCRequest) -> None:
    """Answer the built-in ping method. Raises error 108 when no RPC is configured at all, 104 for an unknown method."""
    ping_method = session.context.settings.rpc_ping_method
    if ping_method is None:
        raise ReplyError(ERROR_NOT_AVAILABLE)
    if request.method != ping_method:
        raise ReplyError(ERROR_METHOD_NOT_FOUND)
    session.reply(command_id, RPCResult())
