"""Authenticates a connect and determines its server-side subscriptions (03 §5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.auth import TokenExpired, TokenInvalid
from fanjet.channels.permissions import may_be_subscribed_at_connect
from fanjet.channels.subscription import Source, SubscriptionOptions, from_connect_grant, from_grant
from fanjet.client.credentials import Credentials
from fanjet.client.event_calls import call_connect_event, event_fields
from fanjet.client.subscriptions.server_filter import invalid_server_filter
from fanjet.engines.failure_log import log_failure
from fanjet.events.event import ConnectEvent
from fanjet.node.connection_filter import ConnectionFilter
from fanjet.protocol.codes import (
    DISCONNECT_BAD_REQUEST,
    DISCONNECT_CONNECTION_LIMIT,
    DISCONNECT_INTERNAL,
    DISCONNECT_INVALID_TOKEN,
    DISCONNECT_PERMISSION_DENIED,
    ERROR_INTERNAL,
    ERROR_TOKEN_EXPIRED,
    Disconnected,
    ReplyError,
)
from fanjet.protocol.tags_filter import InvalidFilter
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fanjet.auth import ServerSubscription
    from fanjet.client.context import ClientContext
    from fanjet.client.session_interface import SessionInterface
    from fanjet.events.answer import ConnectAnswer, Grant
    from fanjet.protocol.messages import ConnectRequest

log = get_logger(__name__)


async def authenticate(session: SessionInterface, request: ConnectRequest) -> Credentials:
    """Return the connection's credentials and server-side subscriptions.

    Raises `ReplyError` and `Disconnected` as 01 §6.1.
    """
    context = session.context
    config = context.config
    answer = None
    if request.token:
        credentials = await _from_token(context, request.token)
        if config.insecure:
            credentials.expire_at = 0
    elif context.events.decides_connect and (answer := await _call_connect(session, request)) is not None:
        credentials = _from_answer(context, answer)
    elif config.allow_anonymous_connect_without_token or config.insecure:
        credentials = Credentials("")
    elif session.request_info.user:
        return Credentials(session.request_info.user)
    else:
        log.info("client credentials not found", client=session.client_id)
        raise Disconnected(DISCONNECT_BAD_REQUEST)
    if credentials.user and config.subscribe_to_user_personal_channel.enabled:
        await _add_personal_channel(context, credentials)
    if request.subs and answer is None:
        _add_requested(context, credentials, request)
    return credentials


def stream_channels(context: ClientContext, channels: Iterable[str]) -> set[str]:
    """The channels that allow server-side subscriptions.

    Channels of other types are skipped (03 §15 item 9). Raises error 102 for an unknown namespace.
    """
    return {channel for channel in channels if _is_stream(context, channel) and channel}


def _is_stream(context: ClientContext, channel: str) -> bool:
    if context.node.namespaces.resolve(channel).is_stream:
        return True
    log.error("server-side subscription to a channel that is no stream left out", channel=channel)
    return False


async def _from_token(context: ClientContext, text: str) -> Credentials:
    try:
        token = await context.connection_verifier.verify(text)
    except TokenExpired:
        raise ReplyError(ERROR_TOKEN_EXPIRED) from None
    except TokenInvalid as error:
        log.info("invalid connection token", error=str(error))
        raise Disconnected(DISCONNECT_INVALID_TOKEN) from None
    subscriptions = _token_subscriptions(context, token.subs) if token.subs else {}
    if not token.user and context.config.disallow_anonymous_connection_tokens:
        raise Disconnected(DISCONNECT_PERMISSION_DENIED)
    return Credentials(
        token.user, token.expire_at, token.info, token.meta, token.labels, token.caps or (), subscriptions
    )


async def _call_connect(session: SessionInterface, request: ConnectRequest) -> ConnectAnswer | None:
    event = ConnectEvent(
        **event_fields(session),
        data=bytes(request.data),
        name=request.name,
        version=request.version,
        channels=list(request.subs),
    )
    return await call_connect_event(session, session.context.events.connect(event))


def _from_answer(context: ClientContext, answer: ConnectAnswer) -> Credentials:
    return Credentials(
        answer.user,
        max(answer.expire_at, 0),
        answer.info,
        answer.meta,
        answer.labels,
        answer.caps,
        _granted(context, answer.subs) if answer.subs else {},
        answer.data,
    )


def _granted(context: ClientContext, grants: Mapping[str, Grant]) -> dict[str, SubscriptionOptions]:
    """Options of the channels that the application grants.

    Raises error 102 for an unknown namespace, then 100 for unreadable payloads in any of them or invalid filters.
    """
    resolve = context.node.namespaces.resolve
    streams = [channel for channel in grants if _is_stream(context, channel) and channel]
    for channel, grant in grants.items():
        if grant.unreadable:
            log.error("unreadable payload of a server-side subscription", channel=channel, error=grant.unreadable)
            raise ReplyError(ERROR_INTERNAL)
    subscriptions = {}
    for channel in streams:
        try:
            subscriptions[channel] = from_connect_grant(resolve(channel).options, grants[channel])
        except InvalidFilter as error:
            raise invalid_server_filter(channel, error) from None
    return subscriptions


def _token_subscriptions(
    context: ClientContext, entries: Mapping[str, ServerSubscription]
) -> dict[str, SubscriptionOptions]:
    """Options of a token's channels.

    Raises error 102 for an unknown namespace, 100 for an invalid filter.
    """
    resolve = context.node.namespaces.resolve
    subscriptions = {}
    for channel, entry in entries.items():
        if _is_stream(context, channel) and channel:
            try:
                subscriptions[channel] = from_grant(resolve(channel).options, Source.CONNECTION_TOKEN, entry)
            except InvalidFilter as error:
                raise invalid_server_filter(channel, error) from None
    return subscriptions


async def _add_personal_channel(context: ClientContext, credentials: Credentials) -> None:
    """Subscribe the user to its personal channel.

    With `single_connection`, close the user's other connections.
    """
    personal = context.config.subscribe_to_user_personal_channel
    user = credentials.user
    channel = context.node.namespaces.personal_channel(user, personal.personal_channel_namespace)
    resolved = context.node.namespaces.resolve(channel)
    if personal.single_connection:
        await _close_other_connections(context, user, channel)
    if _is_stream(context, channel):
        credentials.subscriptions[channel] = resolved.granted[Source.USER_PERSONAL]


async def _close_other_connections(context: ClientContext, user: str, channel: str) -> None:
    try:
        clients, _ = await context.node.presence_stats(channel)
    except Exception as error:
        log_failure(log, "error reading presence of personal channel", error, channel=channel)
        raise Disconnected(DISCONNECT_INTERNAL) from None
    if clients:
        await context.node.disconnect(ConnectionFilter(user), DISCONNECT_CONNECTION_LIMIT)


def _add_requested(context: ClientContext, credentials: Credentials, request: ConnectRequest) -> None:
    """Add the channels that the client requests and is allowed to subscribe to.

    See 03 §5.6.
    """
    namespaces = context.node.namespaces
    for channel in request.subs:
        try:
            resolved = namespaces.resolve(channel)
        except ReplyError:
            raise Disconnected(DISCONNECT_BAD_REQUEST) from None
        if channel in credentials.subscriptions or not channel:
            continue
        user = credentials.user
        if may_be_subscribed_at_connect(resolved, user, insecure=context.config.insecure):
            credentials.subscriptions[channel] = resolved.granted[Source.CLIENT_AT_CONNECT]
