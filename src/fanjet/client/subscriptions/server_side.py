"""Server-side subscriptions of a live connection, made by the server API.

See 01 §8.8 and 05 §6.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.protocol.codec import PayloadNotJSON
from fanjet.protocol.codes import (
    DISCONNECT_CHANNEL_LIMIT,
    DISCONNECT_CONNECTION_CLOSED,
    ERROR_EXPIRED,
    ERROR_INTERNAL,
    Disconnected,
    ReplyError,
)
from fanjet.protocol.messages import SubscribePush

from .ending import clean_up, remove_presence, wait_for_attempt
from .subscribe_attempt import DEFAULT_PARAMS, SubscribeAttempt, SubscribeParams

if TYPE_CHECKING:
    from fanjet.channels.subscription import SubscriptionOptions
    from fanjet.client.session_interface import SessionInterface
    from fanjet.protocol.messages import SubscribeResult
    from fanjet.protocol.publication import StreamPosition

    from .subscription import Subscription


async def subscribe(
    session: SessionInterface, channel: str, options: SubscriptionOptions, recover_since: StreamPosition | None
) -> None:
    """Subscribe, or replace the subscription, and push `subscribe`.

    Recovered publications follow (01 FIX 6). Raises `ReplyError` when the subscription failed and the connection
    stays.
    """
    if session.closed:
        return
    settings = session.context.settings
    if settings.channel_limit and len(session.subscriptions) >= settings.channel_limit:
        session.disconnect(DISCONNECT_CHANNEL_LIMIT)
        return
    if 0 < options.expire_at <= int(session.context.unix_time()):
        raise ReplyError(ERROR_EXPIRED)
    try:
        old = await _release(session, channel)
    except Disconnected:
        return
    params = (
        DEFAULT_PARAMS if recover_since is None else SubscribeParams(True, recover_since.offset, recover_since.epoch)
    )
    attempt = SubscribeAttempt.reserve(session, channel, options, params, server_side=True)
    try:
        await attempt.prepare()
        await _drop_presence(session, old, options)
        result = attempt.complete()
    except BaseException as error:
        if old is not None:
            await clean_up(session, old)
        await attempt.roll_back()
        if not isinstance(error, Disconnected):
            raise
        session.disconnect(error.disconnect)
        return
    pushed = _push(session, channel, result)
    attempt.activate(recovered_first=True)
    if not pushed:
        raise ReplyError(ERROR_INTERNAL)
    await attempt.publish_join()


async def _release(session: SessionInterface, channel: str) -> Subscription | None:
    """Remove and return a subscription that is to be replaced.

    No leave is published, since it is made again at once (05 Q1). Raises `Disconnected` when an attempt under way does
    not end.
    """
    old = await wait_for_attempt(session, channel)
    if old is not None:
        old.active = False
        old.cancel_stream()
        session.context.node.unsubscribe_channel(old)
    return old


async def _drop_presence(session: SessionInterface, old: Subscription | None, options: SubscriptionOptions) -> None:
    """Remove a presence entry that the new options do not include.

    Raises `Disconnected` when the connection ends meanwhile.
    """
    if old is None or options.presence or not old.options.presence:
        return
    await remove_presence(session, old)
    if session.closed:
        raise Disconnected(DISCONNECT_CONNECTION_CLOSED)


def _push(session: SessionInterface, channel: str, result: SubscribeResult) -> bool:
    """Push `subscribe`.

    False when the connection needs JSON and the data is not: the subscription stays, but no join is published.
    """
    push = SubscribePush(result.recoverable, result.epoch, result.offset, result.positioned, result.data)
    try:
        session.push(channel, push)
    except PayloadNotJSON:
        return False
    return True
