"""Telling the application that a connection has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.events.event import DisconnectEvent
from fanjet.protocol.codes import Disconnected, ReplyError

from .asking import about

if TYPE_CHECKING:
    from fanjet.protocol.codes import Disconnect

    from .session import Session


async def tell_application(session: Session, disconnect: Disconnect) -> None:
    """Tell how it has ended. Nothing that the application raises makes a difference any more."""
    event = DisconnectEvent(**about(session), code=disconnect.code, reason=disconnect.reason)
    try:
        await session.context.events.disconnect(event)
    except (ReplyError, Disconnected):
        return
