"""Ending subscriptions: by command, by the server, and all of them when the connection ends (01 §6.3, §5.9)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from fanjet.engines.failure_log import log_failure
from fanjet.protocol.codes import DISCONNECT_BAD_REQUEST, DISCONNECT_INTERNAL, Disconnected
from fanjet.protocol.messages import UnsubscribeResult
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from fanjet.protocol.codes import Unsubscribe
    from fanjet.protocol.messages import UnsubscribeRequest

    from ..session import Session
    from .subscription import Subscription

log = get_logger(__name__)

DONE: Final = UnsubscribeResult()
ATTEMPT_TIMEOUT = 5.0
"""Seconds that an unsubscribe waits for a subscribe of the same channel that is under way."""


def unsubscribe_command(
    session: Session, command_id: int, request: UnsubscribeRequest
) -> Coroutine[Any, Any, None] | None:
    """Command `unsubscribe`: succeeds whether there was a subscription or not."""
    channel = request.channel
    if not channel:
        raise Disconnected(DISCONNECT_BAD_REQUEST)
    subscription = session.subscriptions.get(channel)
    if subscription is not None:
        if not subscription.active or _needs_cleanup(subscription):
            return _unsubscribe_and_reply(session, command_id, channel)
        _stop_delivery(session, subscription)
    session.reply(command_id, DONE, channel)
    return None


async def _unsubscribe_and_reply(session: Session, command_id: int, channel: str) -> None:
    await unsubscribe(session, channel)
    session.reply(command_id, DONE, channel)


async def unsubscribe(session: Session, channel: str) -> None:
    """End a subscription, if there is one; a subscribe under way is waited for. Raises `Disconnected` 3004 when that
    takes too long, after closing the connection with it.
    """
    subscription = await wait_for_attempt(session, channel)
    if subscription is not None:
        await end(session, subscription)


async def end(session: Session, subscription: Subscription) -> None:
    """End an active subscription: nothing is sent for it any more, then presence and leave follow."""
    _stop_delivery(session, subscription)
    await clean_up(session, subscription)


def _stop_delivery(session: Session, subscription: Subscription) -> None:
    """Nothing is sent for it any more."""
    if session.subscriptions.get(subscription.channel) is subscription:
        del session.subscriptions[subscription.channel]
    subscription.active = False
    if subscription.stream is not None:
        subscription.cancel_stream()
    session.context.node.unsubscribe_channel(subscription)


async def end_and_push(session: Session, subscription: Subscription, reason: Unsubscribe) -> None:
    """End an active subscription and tell the client why."""
    await end(session, subscription)
    session.push_unsubscribe(subscription.channel, reason)


def end_all(session: Session) -> None:
    """The connection has ended: end every subscription. Those not active yet are undone by whoever makes them."""
    subscriptions = [one for one in session.subscriptions.values() if one.active]
    session.subscriptions = {}
    node = session.context.node
    for subscription in subscriptions:
        subscription.active = False
        subscription.cancel_stream()
        node.unsubscribe_channel(subscription)
    for subscription in subscriptions:
        if _needs_cleanup(subscription):
            session.context.run_in_background(clean_up(session, subscription))


def _needs_cleanup(subscription: Subscription) -> bool:
    """Whether others can tell that it was there."""
    options = subscription.options
    return options.presence or options.join_leave


async def clean_up(session: Session, subscription: Subscription) -> None:
    """Remove presence, publish the leave. A failing engine is logged: the subscription has ended all the same."""
    if subscription.options.presence:
        await remove_presence(session, subscription)
    if subscription.options.join_leave:
        try:
            await session.context.node.publish_leave(subscription.channel, subscription.info())
        except Exception as error:
            log_failure(log, "error publishing leave", error, channel=subscription.channel)


async def remove_presence(session: Session, subscription: Subscription) -> None:
    """Remove the connection's entry from the channel's presence. A failure is logged."""
    try:
        await session.context.node.presence_manager.remove(subscription.channel, session.client_id, session.user)
    except Exception as error:
        log_failure(log, "error removing presence", error, channel=subscription.channel)


async def wait_for_attempt(session: Session, channel: str) -> Subscription | None:
    """Return the channel's active subscription, if any, once no attempt to make one is under way.

    When an attempt does not end within 5 s, closes the connection and raises `Disconnected` 3004.
    """
    while (subscription := session.subscriptions.get(channel)) is not None and not subscription.active:
        if not await wait_until_settled(subscription, ATTEMPT_TIMEOUT):
            session.disconnect(DISCONNECT_INTERNAL)
            raise Disconnected(DISCONNECT_INTERNAL)
    return subscription


async def wait_until_settled(subscription: Subscription, seconds: float | None = None) -> bool:
    """Wait for an attempt to end, at most `seconds` if given; False when it has not ended."""
    if subscription.settled is None:
        subscription.settled = asyncio.get_running_loop().create_future()
    done, _ = await asyncio.wait([subscription.settled], timeout=seconds)
    return bool(done)
