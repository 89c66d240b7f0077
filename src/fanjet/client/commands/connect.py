"""Command `connect` (01 §6.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from fanjet.client.gather import gather
from fanjet.client.state import CONNECTING
from fanjet.client.subscriptions.subscribe_attempt import DEFAULT_PARAMS, SubscribeAttempt, SubscribeParams
from fanjet.protocol.codes import (
    DISCONNECT_BAD_REQUEST,
    DISCONNECT_CHANNEL_LIMIT,
    DISCONNECT_CONNECTION_CLOSED,
    DISCONNECT_CONNECTION_LIMIT,
    ERROR_EXPIRED,
    Disconnected,
    ReplyError,
)
from fanjet.protocol.messages import ConnectResult

from .authenticate import authenticate

if TYPE_CHECKING:
    from fanjet.client.credentials import Credentials
    from fanjet.client.session_interface import SessionInterface
    from fanjet.protocol.messages import ConnectRequest, SubscribeResult


async def connect(session: SessionInterface, command_id: int, request: ConnectRequest) -> None:
    """Authenticate, make the server-side subscriptions, reply.

    An error reply leaves the connection unusable.
    """
    if session.state is not CONNECTING:
        raise Disconnected(DISCONNECT_BAD_REQUEST)
    if request.headers:
        _store_headers(session, request)
    try:
        credentials = await authenticate(session, request)
        attempts = _register(session, credentials, request)
        if attempts:
            await _complete_attempts(session, command_id, attempts, credentials.data)
        else:
            session.reply(command_id, _result(session, {}, credentials.data))
            session.start_connected()
    except ReplyError as failure:
        session.refuse(command_id, failure.error)


def _store_headers(session: SessionInterface, request: ConnectRequest) -> None:
    kept = session.context.events.kept_headers.from_client(request.headers)
    if kept is not None:
        session.request_info = replace(session.request_info, emulated_headers=kept)


def _register(session: SessionInterface, credentials: Credentials, request: ConnectRequest) -> list[SubscribeAttempt]:
    """Check the limits, register the connection and reserve its server-side channels."""
    if session.closed:
        raise Disconnected(DISCONNECT_CONNECTION_CLOSED)
    context = session.context
    settings = context.settings
    if settings.channel_limit and len(credentials.subscriptions) > settings.channel_limit:
        raise Disconnected(DISCONNECT_CHANNEL_LIMIT)
    node = context.node
    limit = settings.user_connection_limit
    if limit > 0 and credentials.user and node.connections.count_of_user(credentials.user) >= limit:
        raise Disconnected(DISCONNECT_CONNECTION_LIMIT)
    if credentials.expire_at and credentials.expire_at <= int(context.unix_time()):
        raise ReplyError(ERROR_EXPIRED)
    session.authenticate(credentials, request.name, request.version)
    if not credentials.subscriptions:
        return []
    return [
        SubscribeAttempt.reserve(session, channel, options, _params(request, channel), server_side=True)
        for channel, options in credentials.subscriptions.items()
    ]


def _params(request: ConnectRequest, channel: str) -> SubscribeParams:
    entry = request.subs.get(channel)
    if entry is None:
        return DEFAULT_PARAMS
    return SubscribeParams(recover=entry.recover, offset=entry.offset, epoch=entry.epoch, delta=entry.delta)


async def _complete_attempts(
    session: SessionInterface, command_id: int, attempts: list[SubscribeAttempt], data: bytes
) -> None:
    """Prepare all subscriptions concurrently, then reply and activate them.

    There is no waiting between reply and activation (01 §6.1 steps 11 to 13).
    """
    try:
        await _prepare_all(attempts)
        if session.closed:
            raise Disconnected(DISCONNECT_CONNECTION_CLOSED)
        subs = {attempt.subscription.channel: attempt.complete() for attempt in attempts}
        session.reply(command_id, _result(session, subs, data))
    except BaseException:
        for attempt in attempts:
            await attempt.roll_back()
        raise
    for attempt in attempts:
        attempt.activate()
    session.start_connected()
    for attempt in attempts:
        await attempt.publish_join()


async def _prepare_all(attempts: list[SubscribeAttempt]) -> None:
    """Prepare all attempts; raise the error that ended one.

    A disconnect is preferred to an error reply.
    """
    failures = [outcome for outcome in await gather([one.prepare() for one in attempts]) if outcome is not None]
    failures.sort(key=lambda failure: not isinstance(failure, Disconnected))
    if failures:
        raise failures.pop(0)  # removed from this frame's variables, since its traceback holds the frame


def _result(session: SessionInterface, subs: dict[str, SubscribeResult], data: bytes) -> ConnectResult:
    settings = session.context.settings
    left = session.seconds_left()
    return ConnectResult(
        client=session.client_id,
        version=settings.version,
        expires=left > 0,
        ttl=left,
        data=data,
        subs=subs,
        ping=int(session.ping_interval),
        pong=session.pong_timeout > 0,
        session=session.session_id,
        node=session.context.node.uid if session.transport.emulated else "",
        time=int(session.context.unix_time() * 1000) if settings.include_server_time else 0,
    )
