"""Command `send` (01 §6.8): an asynchronous message for the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.client.event_calls import call_event, event_fields
from fanjet.events.event import MessageEvent
from fanjet.protocol.codes import DISCONNECT_NOT_AVAILABLE, Disconnected, ReplyError
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from fanjet.client.session_interface import SessionInterface
    from fanjet.protocol.messages import SendRequest

log = get_logger(__name__)


async def send(session: SessionInterface, command_id: int, request: SendRequest) -> None:
    """Pass on the message; there is no reply, not even an error.

    Without a handler of messages, the connection ends with 3508.
    """
    events = session.context.events
    if not events.takes_messages:
        raise Disconnected(DISCONNECT_NOT_AVAILABLE)
    try:
        await call_event(session, events.message(MessageEvent(**event_fields(session), data=bytes(request.data))))
    except ReplyError as refusal:
        log.info("message refused", client=session.client_id, error=str(refusal))
