"""Command `rpc` (01 §6.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.client.event_calls import call_event, event_fields
from fanjet.events.event import RPCEvent
from fanjet.protocol.codes import ERROR_METHOD_NOT_FOUND, ERROR_NOT_AVAILABLE, ReplyError
from fanjet.protocol.messages import RPCResult

if TYPE_CHECKING:
    from fanjet.client.session_interface import SessionInterface
    from fanjet.protocol.messages import RPCRequest


async def rpc(session: SessionInterface, command_id: int, request: RPCRequest) -> None:
    """Answer the built-in ping method; pass other methods to the application.

    Raises error 108 when no RPC is configured, 104 for an unknown method.
    """
    ping_method = session.context.settings.rpc_ping_method
    events = session.context.events
    if ping_method is not None and request.method == ping_method:
        session.reply(command_id, RPCResult())
    elif events.answers_rpc:
        event = RPCEvent(**event_fields(session), method=request.method, data=bytes(request.data))
        session.reply(command_id, RPCResult(await call_event(session, events.rpc(event))))
    else:
        raise ReplyError(ERROR_NOT_AVAILABLE if ping_method is None else ERROR_METHOD_NOT_FOUND)
