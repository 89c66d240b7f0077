"""Ends subscriptions: one of them, or all when the connection ends.

See 01 §6.3 and §5.9.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fanjet.engines.failure_log import log_failure
from fanjet.protocol.codes import DISCONNECT_INTERNAL, Disconnected
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from fanjet.client.session_interface import SessionInterface
    from fanjet.protocol.codes import Unsubscribe

    from .subscription import Subscription

log = get_logger(__name__)

ATTEMPT_TIMEOUT = 5.0
"""Seconds that an unsubscribe waits for a subscribe attempt of the same channel."""


async def unsubscribe(session: SessionInterface, channel: str) -> None:
    """End a subscription, if there is one; waits for an attempt under way.

    Raises `Disconnected` 3004 when that takes too long, after closing the connection with it.
    """
    subscription = await wait_for_attempt(session, channel)
    if subscription is not None:
        await end(session, subscription)


async def end(session: SessionInterface, subscription: Subscription) -> None:
    """End an active subscription.

    Stop delivery, then remove presence and publish the leave.
    """
    stop_delivery(session, subscription)
    await clean_up(session, subscription)


def stop_delivery(session: SessionInterface, subscription: Subscription) -> None:
    """Remove an active subscription from the session and the node.

    After that nothing more is sent for it.
    """
    if session.subscriptions.get(subscription.channel) is subscription:
        del session.subscriptions[subscription.channel]
    subscription.active = False
    if subscription.stream is not None:
        subscription.cancel_stream()
    session.context.node.unsubscribe_channel(subscription)


async def end_and_push(session: SessionInterface, subscription: Subscription, reason: Unsubscribe) -> None:
    """End an active subscription and push the reason to the client."""
    await end(session, subscription)
    session.push_unsubscribe(subscription.channel, reason)


def end_all(session: SessionInterface) -> None:
    """End every active subscription of a closed connection.

    Attempts under way roll themselves back.
    """
    subscriptions = [one for one in session.subscriptions.values() if one.active]
    session.subscriptions = {}
    node = session.context.node
    for subscription in subscriptions:
        subscription.active = False
        subscription.cancel_stream()
        node.unsubscribe_channel(subscription)
    for subscription in subscriptions:
        if needs_cleanup(subscription):
            session.context.run_in_background(clean_up(session, subscription))


def needs_cleanup(subscription: Subscription) -> bool:
    """Whether the subscription's end has to be made known.

    True if the subscription is in presence, or publishes join and leave.
    """
    options = subscription.options
    return options.presence or options.join_leave


async def clean_up(session: SessionInterface, subscription: Subscription) -> None:
    """Remove presence and publish the leave.

    Failures of the engine are logged: the subscription ends all the same.
    """
    if subscription.options.presence:
        await remove_presence(session, subscription)
    if subscription.options.join_leave:
        try:
            await session.context.node.publish_leave(subscription.channel, subscription.info())
        except Exception as error:
            log_failure(log, "error publishing leave", error, channel=subscription.channel)


async def remove_presence(session: SessionInterface, subscription: Subscription) -> None:
    """Remove the connection's entry from the channel's presence. A failure is logged."""
    try:
        await session.context.node.presence_manager.remove(subscription.channel, session.client_id, session.user)
    except Exception as error:
        log_failure(log, "error removing presence", error, channel=subscription.channel)


async def wait_for_attempt(session: SessionInterface, channel: str) -> Subscription | None:
    """Wait until no attempt to subscribe to the channel is under way.

    Returns the active subscription, if any. When an attempt does not end within 5 s, closes the connection and
    raises `Disconnected` 3004.
    """
    while (subscription := session.subscriptions.get(channel)) is not None and not subscription.active:
        if not await wait_until_settled(subscription, ATTEMPT_TIMEOUT):
            session.disconnect(DISCONNECT_INTERNAL)
            raise Disconnected(DISCONNECT_INTERNAL)
    return subscription


async def wait_until_settled(subscription: Subscription, seconds: float | None = None) -> bool:
    """Wait for an attempt to end, at most `seconds` if given.

    Returns False when it has not ended.
    """
    if subscription.settled is None:
        subscription.settled = asyncio.get_running_loop().create_future()
    done, _ = await asyncio.wait([subscription.settled], timeout=seconds)
    return bool(done)
