"""Command `subscribe` (01 §6.2)."""

from __future__ import annotations

from asyncio import Future
from functools import partial
from typing import TYPE_CHECKING

from fanjet.auth import TokenExpired, TokenInvalid
from fanjet.channels.permissions import may_subscribe, refuse_subscribe, with_requested_options
from fanjet.channels.subscription import Source, from_grant
from fanjet.client.subscriptions.server_filter import invalid_server_filter
from fanjet.client.subscriptions.subscribe_attempt import DEFAULT_PARAMS, SubscribeAttempt, SubscribeParams
from fanjet.engines.interfaces import DONE
from fanjet.net.aio import CallbackChain, FutureCallback
from fanjet.protocol.codes import (
    DISCONNECT_BAD_REQUEST,
    DISCONNECT_CONNECTION_CLOSED,
    DISCONNECT_INVALID_TOKEN,
    ERROR_ALREADY_SUBSCRIBED,
    ERROR_BAD_REQUEST,
    ERROR_EXPIRED,
    ERROR_LIMIT_EXCEEDED,
    ERROR_NOT_AVAILABLE,
    ERROR_PERMISSION_DENIED,
    ERROR_TOKEN_EXPIRED,
    Disconnected,
    ReplyError,
)
from fanjet.protocol.tags_filter import InvalidFilter, TagsFilter
from fanjet.telemetry.logging import get_logger

from .proxied import authorize_subscription, decides_subscription
from .sub_refresh import is_for_connection

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from fanjet.auth import SubscriptionToken
    from fanjet.channels.namespaces import Resolved
    from fanjet.channels.subscription import SubscriptionOptions
    from fanjet.client.session_interface import SessionInterface
    from fanjet.events.stream import SubscriptionStream
    from fanjet.net.aio import Work
    from fanjet.protocol.messages import SubscribeRequest

log = get_logger(__name__)

KNOWN_DELTA_TYPES = ("", "fossil")
STREAM = 0
SHARED_POLL = 4
LAST_TYPE = SHARED_POLL
FLAG_COMPACTION = 1
FLAG_REJECT_UNRECOVERED = 2


def subscribe(session: SessionInterface, command_id: int, request: SubscribeRequest) -> Work | None:
    """Check the request, authorize it, subscribe, reply; then publish the join."""
    channel = request.channel
    if not channel:
        raise Disconnected(DISCONNECT_BAD_REQUEST)
    is_bare = _is_bare(request)
    if not is_bare:
        _check_type(request)
    _check_limits(session, channel)
    node = session.context.node
    resolved = node.namespaces.resolve(channel)
    options = resolved.open_to_users if session.user else resolved.open_to_anonymous
    if options is None or not is_bare or session.capabilities:
        _check_refused(request, resolved)
        if request.token:
            return _subscribe_with_token(session, command_id, request, resolved)
        if decides_subscription(resolved):
            return _subscribe_via_application(session, command_id, request, resolved)
        options = _authorize(session, request, resolved, None)
    params = DEFAULT_PARAMS if is_bare else _params(request, options)
    attempt = SubscribeAttempt.reserve(session, channel, options, params, server_side=False)
    return _start_attempt(session, command_id, attempt)


def _start_attempt(session: SessionInterface, command_id: int, attempt: SubscribeAttempt) -> Work | None:
    """Make the subscription. Most wait only for the broker, which needs no coroutine."""
    options = attempt.subscription.options
    if options.presence or options.join_leave or options.positioning or options.recovery:
        return CallbackChain(_run_attempt(session, command_id, attempt))
    try:
        registering = session.context.node.subscribe_channel(attempt.subscription)
        if isinstance(registering, Future):
            return FutureCallback(registering, partial(_go_live, session, command_id, attempt), attempt.fail)
        if registering is DONE:
            _go_live(session, command_id, attempt)
            return None
    except BaseException as error:
        raise attempt.fail(error) from None
    return CallbackChain(_run_attempt(session, command_id, attempt, registering))


def _go_live(session: SessionInterface, command_id: int, attempt: SubscribeAttempt, _registered: None = None) -> None:
    if session.closed:
        raise Disconnected(DISCONNECT_CONNECTION_CLOSED)
    session.cork()  # the command has not ended yet; its end writes the reply
    session.reply(command_id, attempt.complete(), attempt.subscription.channel)
    attempt.activate()


async def _subscribe_with_token(
    session: SessionInterface, command_id: int, request: SubscribeRequest, resolved: Resolved
) -> None:
    token = await _verify(session, request)
    await _subscribe(session, command_id, request, _authorize(session, request, resolved, token))


async def _subscribe_via_application(
    session: SessionInterface, command_id: int, request: SubscribeRequest, resolved: Resolved
) -> None:
    options, stream = await authorize_subscription(session, request, resolved)
    await _subscribe(session, command_id, request, options, stream)


async def _subscribe(
    session: SessionInterface,
    command_id: int,
    request: SubscribeRequest,
    options: SubscriptionOptions,
    stream: SubscriptionStream | None = None,
) -> None:
    """Subscribe with authorized options, fed by a stream if there is one."""
    try:
        if 0 < options.expire_at <= int(session.context.unix_time()):
            raise ReplyError(ERROR_EXPIRED)
        attempt = SubscribeAttempt.reserve(
            session, request.channel, options, _params(request, options), server_side=False
        )
    except BaseException:
        if stream is not None:
            stream.cancel()
        raise
    await _run_attempt(session, command_id, attempt, stream=stream)


async def _run_attempt(
    session: SessionInterface,
    command_id: int,
    attempt: SubscribeAttempt,
    registering: Awaitable[None] | None = None,
    *,
    stream: SubscriptionStream | None = None,
) -> None:
    """Prepare the attempt, reply, activate it and publish the join.

    `registering`: see `SubscribeAttempt.prepare`.
    """
    try:
        await attempt.prepare(registering)
        session.reply(command_id, attempt.complete(), attempt.subscription.channel)
    except BaseException:
        if stream is not None:
            stream.cancel()
        await attempt.roll_back()
        raise
    attempt.activate()
    if stream is not None:
        attempt.subscription.stream = stream
        stream.start(attempt.subscription)
    if attempt.subscription.options.join_leave:
        await attempt.publish_join()


def _is_bare(request: SubscribeRequest) -> bool:
    """Whether the request has nothing but a channel, as most do."""
    return not (
        request.token
        or request.type
        or request.positioned
        or request.recoverable
        or request.join_leave
        or request.recover
        or request.epoch
        or request.offset
        or request.delta
        or request.flag
        or request.tf
    )


def _check_type(request: SubscribeRequest) -> None:
    """Check the parts of the request that do not depend on the channel (steps 2 to 4)."""
    if request.type == SHARED_POLL:
        raise ReplyError(ERROR_NOT_AVAILABLE)
    if request.type > LAST_TYPE:
        raise ReplyError(ERROR_BAD_REQUEST)
    if request.type <= STREAM and request.delta not in KNOWN_DELTA_TYPES:
        raise Disconnected(DISCONNECT_BAD_REQUEST)


def _check_limits(session: SessionInterface, channel: str) -> None:
    """Check that the channel can be added to the connection's subscriptions.

    These are steps 5 and 6.
    """
    settings = session.context.settings
    most = settings.channel_max_length
    if most and len(channel.encode()) > most:
        raise ReplyError(ERROR_BAD_REQUEST)
    if channel in session.subscriptions:
        raise ReplyError(ERROR_ALREADY_SUBSCRIBED)
    limit = settings.channel_limit
    if limit and len(session.subscriptions) >= limit:
        raise ReplyError(ERROR_LIMIT_EXCEEDED)


def _check_refused(request: SubscribeRequest, resolved: Resolved) -> None:
    """Raise the error for a channel that cannot be subscribed this way (step 7)."""
    refusal = refuse_subscribe(resolved, stream_wanted=request.type <= STREAM, has_token=bool(request.token))
    if refusal is not None:
        raise ReplyError(refusal)


def _authorize(
    session: SessionInterface, request: SubscribeRequest, resolved: Resolved, token: SubscriptionToken | None
) -> SubscriptionOptions:
    """Return the subscription's options where the application does not decide.

    They are from the token, else from the namespace (step 7).
    """
    insecure = session.context.config.insecure
    if token is not None:
        granted = _granted_by(token, resolved)
    else:
        source = may_subscribe(resolved, session, insecure=insecure)
        if source is None:
            raise ReplyError(ERROR_PERMISSION_DENIED)
        granted = resolved.granted[source]
    if not (request.positioned or request.recoverable or request.join_leave):
        return granted
    return with_requested_options(
        granted,
        resolved,
        session,
        insecure=insecure,
        positioned=request.positioned,
        recoverable=request.recoverable,
        join_leave=request.join_leave,
    )


def _granted_by(token: SubscriptionToken, resolved: Resolved) -> SubscriptionOptions:
    try:
        return from_grant(
            resolved.options, Source.SUBSCRIPTION_TOKEN, token, expire_at=token.expire_at, allow=token.allow
        )
    except InvalidFilter as error:
        raise invalid_server_filter(resolved.channel, error) from None


async def _verify(session: SessionInterface, request: SubscribeRequest) -> SubscriptionToken:
    """Verify a subscription token and compare it with channel and connection.

    See 03 §4.1 step 11. This may take time, so the limits are checked again afterwards.
    """
    context = session.context
    try:
        token = await context.subscription_verifier.verify(request.token)
    except TokenExpired:
        raise ReplyError(ERROR_TOKEN_EXPIRED) from None
    except TokenInvalid as error:
        log.info("invalid subscription token", channel=request.channel, error=str(error))
        raise ReplyError(ERROR_PERMISSION_DENIED) from None
    if token.channel != request.channel or not is_for_connection(session, token):
        raise Disconnected(DISCONNECT_INVALID_TOKEN)
    if session.closed:
        raise Disconnected(DISCONNECT_CONNECTION_CLOSED)
    _check_limits(session, request.channel)
    return token


def _params(request: SubscribeRequest, options: SubscriptionOptions) -> SubscribeParams:
    """Read recovery position and options.

    Raises error 107 for a filter that is not allowed or invalid.
    """
    tags_filter = None
    if request.tf is not None:
        if not options.allow_tags_filter:
            raise ReplyError(ERROR_BAD_REQUEST)
        try:
            tags_filter = TagsFilter(request.tf)
        except InvalidFilter as error:
            log.info("invalid tags filter", channel=request.channel, error=str(error))
            raise ReplyError(ERROR_BAD_REQUEST) from None
    return SubscribeParams(
        recover=request.recover,
        offset=request.offset,
        epoch=request.epoch,
        delta=request.delta,
        compact=bool(request.flag & FLAG_COMPACTION),
        reject_unrecovered=bool(request.flag & FLAG_REJECT_UNRECOVERED),
        tags_filter=tags_filter,
    )
