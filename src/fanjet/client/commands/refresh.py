"""Command `refresh` (01 §6.9, 03 §6.12): extends the connection by a new token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.auth import TokenExpired, TokenInvalid
from fanjet.channels.subscription import Source
from fanjet.client.event_calls import call_background_event, event_fields
from fanjet.client.settings import RETRY_SECONDS
from fanjet.events.client_events import EventFailed
from fanjet.events.event import RefreshEvent
from fanjet.protocol.codes import (
    DISCONNECT_BAD_REQUEST,
    DISCONNECT_EXPIRED,
    DISCONNECT_INSUFFICIENT_STATE,
    DISCONNECT_INTERNAL,
    DISCONNECT_INVALID_TOKEN,
    ERROR_EXPIRED,
    Disconnected,
    ReplyError,
)
from fanjet.protocol.messages import RefreshResult

from .authenticate import stream_channels
from .capabilities import replace_capabilities

if TYPE_CHECKING:
    from collections.abc import Collection

    from fanjet.auth import ConnectionToken
    from fanjet.client.session_interface import SessionInterface
    from fanjet.events.answer import RefreshAnswer
    from fanjet.protocol.messages import RefreshRequest


async def refresh(session: SessionInterface, command_id: int, request: RefreshRequest) -> None:
    """Verify the token and set the connection's expiry.

    The token must name the current server-side subscriptions. Where the application refreshes connections, clients
    must not.
    """
    if not request.token or session.context.events.decides_refresh:
        raise Disconnected(DISCONNECT_BAD_REQUEST)
    token = await _verify(session, request.token)
    channels = stream_channels(session.context, token.subs)
    if token.meta:
        session.meta = token.meta
    if _subscriptions_changed(session, channels):
        raise Disconnected(DISCONNECT_INSUFFICIENT_STATE)
    now = int(session.context.unix_time())
    if token.expire_at and token.expire_at <= now:
        raise ReplyError(ERROR_EXPIRED)
    left = session.set_expiry(token.expire_at)
    if left and token.info:
        session.info = token.info
    session.arm()
    replace_capabilities(session, token.caps or ())
    session.reply(command_id, RefreshResult(expires=left > 0, ttl=left))


async def request_refresh(session: SessionInterface) -> None:
    """Call the application to refresh an expired connection.

    Closes the connection if the refresh is refused (06 §6).
    """
    events = session.context.events
    try:
        answer = await call_background_event(session, events.refresh(RefreshEvent(**event_fields(session))))
    except EventFailed:
        session.set_expiry(int(session.context.unix_time()) + RETRY_SECONDS)
    except ReplyError:
        session.disconnect(DISCONNECT_INTERNAL)
    except Disconnected as ending:
        session.disconnect(ending.disconnect)
    else:
        _apply_answer(session, answer)
    session.arm()


def _apply_answer(session: SessionInterface, answer: RefreshAnswer | None) -> None:
    if answer is not None and answer.meta:
        session.meta = answer.meta
    if answer is None or answer.expire_at <= session.context.unix_time():
        session.disconnect(DISCONNECT_EXPIRED)
        return
    session.set_expiry(answer.expire_at)
    if answer.info:
        session.info = answer.info
    replace_capabilities(session, answer.caps)


async def _verify(session: SessionInterface, text: str) -> ConnectionToken:
    try:
        token = await session.context.connection_verifier.verify(text)
    except TokenExpired:
        raise Disconnected(DISCONNECT_EXPIRED) from None
    except TokenInvalid:
        raise Disconnected(DISCONNECT_INVALID_TOKEN) from None
    if token.user != session.user:
        raise Disconnected(DISCONNECT_INVALID_TOKEN)
    return token


def _subscriptions_changed(session: SessionInterface, channels: Collection[str]) -> bool:
    """Whether the token's channels differ from the current subscriptions.

    It names a channel without subscription, or lacks one that the previous token named.
    """
    if any(channel not in session.subscriptions for channel in channels):
        return True
    return any(
        subscription.options.source is Source.CONNECTION_TOKEN and channel not in channels
        for channel, subscription in session.subscriptions.items()
    )
