"""Telling application and log that a connection has ended."""

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
"""Of connections that the server has ended: a storm of them must not bury everything else."""

log = RateLimitedLog(get_logger(__name__), LINES_PER_SECOND)


def log_disconnect(session: SessionInterface, disconnect: Disconnect) -> None:
    """Log that the server has ended a connection, but for a shutdown, when it ends all of them."""
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
    """Tell how it has ended. Nothing that the application raises makes a difference any more."""
    event = DisconnectEvent(**event_fields(session), code=disconnect.code, reason=disconnect.reason)
    try:
        await session.context.events.disconnect(event)
    except (ReplyError, Disconnected):
        return
