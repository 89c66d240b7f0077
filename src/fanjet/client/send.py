"""Command `send` (01 §6.8): nothing takes asynchronous messages from clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.protocol.codes import DISCONNECT_NOT_AVAILABLE, Disconnected

if TYPE_CHECKING:
    from fanjet.protocol.messages import SendRequest

    from .session import Session


async def send(session: Session, command_id: int, request: SendRequest) -> None:
    """Always ends the connection with 3508."""
    raise Disconnected(DISCONNECT_NOT_AVAILABLE)
