"""The command `sub_refresh`: extends a subscription by a new token.

See 01 §6.10 and 03 §6.12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from fanjet.auth import TokenExpired, TokenInvalid
from fanjet.client.event_calls import call_background_event, event_fields
from fanjet.client.settings import LONGEST_LIFETIME, RETRY_SECONDS
from fanjet.client.subscriptions.ending import end_and_push
from fanjet.client.subscriptions.server_filter import read_server_filter, replace_server_filter
from fanjet.events.client_events import EventFailed
from fanjet.events.event import SubRefreshEvent
from fanjet.protocol.codes import (
    DISCONNECT_BAD_REQUEST,
    DISCONNECT_INVALID_TOKEN,
    ERROR_BAD_REQUEST,
    ERROR_EXPIRED,
    ERROR_PERMISSION_DENIED,
    ERROR_TOKEN_EXPIRED,
    UNSUBSCRIBE_EXPIRED,
    Disconnected,
    ReplyError,
)
from fanjet.protocol.messages import SubRefreshResult

if TYPE_CHECKING:
    from fanjet.auth import SubscriptionToken
    from fanjet.client.session_interface import SessionInterface
    from fanjet.client.subscriptions.subscription import Subscription
    from fanjet.protocol.messages import SubRefreshRequest


async def sub_refresh(session: SessionInterface, command_id: int, request: SubRefreshRequest) -> None:
    """Verify the token and set the subscription's expiry.

    Without a channel in the request, the token names it (01 FIX 13).
    """
    channel = request.channel or await _channel_of_token(session, request)
    subscription = session.subscriptions.get(channel)
    if subscription is None or not subscription.active:
        raise ReplyError(ERROR_PERMISSION_DENIED)
    if subscription.refreshed_by_server:
        raise Disconnected(DISCONNECT_BAD_REQUEST)
    if not request.token:
        raise ReplyError(ERROR_BAD_REQUEST)
    try:
        token = await session.context.subscription_verifier.verify(request.token)
    except TokenExpired:
        await end_and_push(session, subscription, UNSUBSCRIBE_EXPIRED)
        raise ReplyError(ERROR_TOKEN_EXPIRED) from None
    except TokenInvalid:
        raise Disconnected(DISCONNECT_INVALID_TOKEN) from None
    if token.channel != channel or not is_for_connection(session, token):
        raise Disconnected(DISCONNECT_INVALID_TOKEN)
    if session.subscriptions.get(channel) is not subscription:  # the subscription ended while a key was fetched
        raise ReplyError(ERROR_PERMISSION_DENIED)
    server_filter = read_server_filter(channel, token.server_tags_filter)
    left = _apply_token(session, subscription, token)
    allow = tuple(token.allow or ())
    if allow != subscription.options.allow:
        subscription.options = replace(subscription.options, allow=allow)
    replace_server_filter(session, subscription, server_filter)
    session.reply(command_id, SubRefreshResult(expires=left > 0, ttl=left), request.channel)


async def request_sub_refresh(session: SessionInterface, subscription: Subscription) -> bool:
    """Call the application to refresh an expired subscription.

    Returns whether the subscription continues (06 §10).
    """
    channel = subscription.channel
    try:
        resolved = session.context.node.namespaces.resolve(channel)
        if not resolved.options.sub_refresh_proxy_enabled:
            return False
        event = SubRefreshEvent(**event_fields(session), channel=channel)
        answer = await call_background_event(session, session.context.events.sub_refresh(event, resolved))
    except EventFailed:
        subscription.expire_at = int(session.context.unix_time()) + RETRY_SECONDS
        return True
    except (ReplyError, Disconnected):
        return False
    now = int(session.context.unix_time())
    if answer is None or 0 < answer.expire_at < now:
        return False
    subscription.expire_at = min(max(answer.expire_at, 0), now + LONGEST_LIFETIME)
    if answer.info:
        subscription.chan_info = answer.info
    return True


def is_for_connection(session: SessionInterface, token: SubscriptionToken | TokenExpired) -> bool:
    """Whether a subscription token was issued for this user and client.

    The client is compared only if the token names one.
    """
    return token.user == session.user and (not token.client or token.client == session.client_id)


def _apply_token(session: SessionInterface, subscription: Subscription, token: SubscriptionToken) -> int:
    """Set expiry and channel info; returns the seconds left, 0 without expiry."""
    now = int(session.context.unix_time())
    if token.expire_at and token.expire_at <= now:
        raise ReplyError(ERROR_EXPIRED)
    subscription.chan_info = token.info
    if not token.expire_at:
        subscription.expire_at = 0
        return 0
    subscription.expire_at = min(token.expire_at, now + LONGEST_LIFETIME)
    session.schedule_periodic()
    return subscription.expire_at - now


async def _channel_of_token(session: SessionInterface, request: SubRefreshRequest) -> str:
    """Return the token's channel, if this connection is subscribed to it.

    Raises `Disconnected` 3501.
    """
    if not request.token or request.type:
        raise Disconnected(DISCONNECT_BAD_REQUEST)
    token: SubscriptionToken | TokenExpired
    try:
        token = await session.context.subscription_verifier.verify(request.token)
    except TokenExpired as expired:
        token = expired
    except TokenInvalid:
        raise Disconnected(DISCONNECT_BAD_REQUEST) from None
    if not session.is_subscribed(token.channel) or not is_for_connection(session, token):
        raise Disconnected(DISCONNECT_BAD_REQUEST)
    return token.channel
