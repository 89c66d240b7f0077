"""Reports the end of a connection to the log and to the application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fanjet.events.event import DisconnectEvent
from fanjet.protocol.codes import DISCONNECT_SHUTDOWN, Disconnected, ReplyError
from fanjet.telemetry.logging import get_logger
from fanjet.telemetry.rate_limited_log import RateLimitedLog

from .event_calls import event_fields

if TYPE_CHECKING:
    from fanjet.protocol.codes import Disconnect

    from .session_interface import SessionInterface

LINES_PER_SECOND: Final = 20
"""Limits lines about disconnects by the server, so that a storm of them does not bury other messages."""

log = RateLimitedLog(get_logger(__name__), LINES_PER_SECOND)


def log_disconnect(session: SessionInterface, disconnect: Disconnect) -> None:
    """Log a disconnect by the server.

    Disconnects of a shutdown are not logged, because it closes all connections.
    """
    if disconnect.code != DISCONNECT_SHUTDOWN.code:
        log.info(
            "client disconnected by server",
            client=session.client_id,
            user=session.user,
            transport=session.transport.name,
            code=disconnect.code,
            reason=disconnect.reason,
            command=session.last_command,
        )


async def send_disconnect_event(session: SessionInterface, disconnect: Disconnect) -> None:
    """Send the disconnect event. Errors that the application raises are ignored."""
    event = DisconnectEvent(**event_fields(session), code=disconnect.code, reason=disconnect.reason)
    try:
        await session.context.events.disconnect(event)
    except (ReplyError, Disconnected):
        return
