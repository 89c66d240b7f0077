"""Server-side subscriptions of a live connection, by the server API (01 §8.8, 05 §6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.protocol.codec import PayloadNotJSON
from fanjet.protocol.codes import DISCONNECT_CHANNEL_LIMIT, ERROR_EXPIRED, ERROR_INTERNAL, Disconnected, ReplyError
from fanjet.protocol.messages import SubscribePush

from .establish import Establishing, Wish
from .unsubscribe import wait_until_settled

if TYPE_CHECKING:
    from fanjet.channels.subscription import SubscriptionOptions
    from fanjet.protocol.messages import SubscribeResult
    from fanjet.protocol.publication import StreamPosition

    from .session import Session


async def subscribe(
    session: Session, channel: str, options: SubscriptionOptions, recover_since: StreamPosition | None
) -> None:
    """Subscribe, or subscribe again with new options, and push `subscribe`; recovered publications follow (01 FIX 6).

    Raises `ReplyError` when the connection stays but could not be subscribed.
    """
    if session.closed:
        return
    settings = session.context.settings
    if settings.channel_limit and len(session.subscriptions) >= settings.channel_limit:
        session.disconnect(DISCONNECT_CHANNEL_LIMIT)
        return
    if 0 < options.expire_at <= int(session.context.unix_time()):
        raise ReplyError(ERROR_EXPIRED)
    await _release(session, channel)
    wish = Wish() if recover_since is None else Wish(True, recover_since.offset, recover_since.epoch)
    attempt = Establishing.reserve(session, channel, options, wish, server_side=True)
    try:
        await attempt.prepare()
        result = attempt.complete()
    except Disconnected as ending:
        await attempt.abandon()
        session.disconnect(ending.disconnect)
        return
    except BaseException:
        await attempt.abandon()
        raise
    pushed = _push(session, channel, result)
    attempt.activate(recovered_first=True)
    await attempt.announce()
    if not pushed:
        raise ReplyError(ERROR_INTERNAL)


async def _release(session: Session, channel: str) -> None:
    """Let a subscription that is to be replaced go, without a leave: it is made again at once (05 Q1)."""
    old = session.subscriptions.get(channel)
    if old is not None and not old.active:
        await wait_until_settled(session, old)
        old = session.subscriptions.get(channel)
    if old is not None:
        old.active = False
        session.context.node.unsubscribe_channel(old)


def _push(session: Session, channel: str, result: SubscribeResult) -> bool:
    """Tell the client. False when the data is not JSON, as the connection wants it: it is subscribed all the same."""
    push = SubscribePush(result.recoverable, result.epoch, result.offset, result.positioned, result.data)
    try:
        session.push(channel, push)
    except PayloadNotJSON:
        return False
    return True
