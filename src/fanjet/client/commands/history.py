"""Command `history` (01 §6.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.channels.permissions import may_read_history
from fanjet.protocol.codes import ERROR_NOT_AVAILABLE, ERROR_PERMISSION_DENIED, ReplyError
from fanjet.protocol.messages import HistoryResult

from .channel_checks import active_subscription, resolved_channel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanjet.client.session_interface import SessionInterface
    from fanjet.protocol.messages import HistoryRequest
    from fanjet.protocol.publication import Publication


async def history(session: SessionInterface, command_id: int, request: HistoryRequest) -> None:
    """Reply with stored publications and the stream position."""
    resolved = resolved_channel(session, request.channel)
    options = resolved.options
    if options.history_size <= 0 or options.history_ttl <= 0:
        raise ReplyError(ERROR_NOT_AVAILABLE)
    subscription = active_subscription(session, request.channel)
    if not may_read_history(
        resolved,
        session,
        subscribed=subscription is not None,
        insecure=session.context.config.insecure,
        allowed=() if subscription is None else subscription.options.allow,
    ):
        raise ReplyError(ERROR_PERMISSION_DENIED)
    read = await session.context.node.history(
        request.channel,
        since=request.since,
        limit=_clamped(request.limit, session.context.settings.history_limit),
        reverse=request.reverse,
        meta_ttl=int(options.history_meta_ttl),
    )
    publications: Sequence[Publication] = read.publications
    if subscription is not None and subscription.options.server_tags_filter is not None:
        publications = subscription.options.server_tags_filter.matching(publications)
    session.reply(command_id, HistoryResult(publications, read.top.epoch, read.top.offset), request.channel)


def _clamped(limit: int, maximum: int) -> int:
    """A negative limit means the maximum; without a maximum, all publications."""
    if not maximum:
        return limit
    return maximum if limit < 0 else min(limit, maximum)
