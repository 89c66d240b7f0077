"""Commands `presence` and `presence_stats` (01 §6.5, §6.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.channels.permissions import may_read_presence
from fanjet.protocol.codes import ERROR_NOT_AVAILABLE, ERROR_PERMISSION_DENIED, ReplyError
from fanjet.protocol.messages import PresenceResult, PresenceStatsResult

from .channel_checks import active_subscription, resolved_channel

if TYPE_CHECKING:
    from fanjet.client.session_interface import SessionInterface
    from fanjet.protocol.messages import PresenceRequest, PresenceStatsRequest


async def presence(session: SessionInterface, command_id: int, request: PresenceRequest) -> None:
    """Reply with the clients in the channel."""
    _check(session, request.channel)
    entries = await session.context.node.presence(request.channel)
    session.reply(command_id, PresenceResult(entries), request.channel)


async def presence_stats(session: SessionInterface, command_id: int, request: PresenceStatsRequest) -> None:
    """Reply with the numbers of clients and users in the channel."""
    _check(session, request.channel)
    clients, users = await session.context.node.presence_stats(request.channel)
    session.reply(command_id, PresenceStatsResult(clients, users), request.channel)


def _check(session: SessionInterface, channel: str) -> None:
    resolved = resolved_channel(session, channel)
    if not resolved.options.presence:
        raise ReplyError(ERROR_NOT_AVAILABLE)
    subscription = active_subscription(session, channel)
    if not may_read_presence(
        resolved,
        session,
        subscribed=subscription is not None,
        insecure=session.context.config.insecure,
        allowed=() if subscription is None else subscription.options.allow,
    ):
        raise ReplyError(ERROR_PERMISSION_DENIED)
