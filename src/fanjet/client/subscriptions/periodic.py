"""Periodic work for subscriptions: presence, expiry and position checks.

Runs every `client.presence_update_interval` (01 §5.6, 07 §20). It is scheduled only while a subscription needs it:
most do not, and an empty run is a tenth of an idle connection's cost.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from fanjet.client.commands.sub_refresh import request_sub_refresh
from fanjet.client.gather import gather
from fanjet.engines.failure_log import log_failure
from fanjet.protocol.codes import DISCONNECT_SUB_EXPIRED, UNSUBSCRIBE_EXPIRED
from fanjet.telemetry.logging import get_logger

from .ending import remove_presence, wait_until_settled

if TYPE_CHECKING:
    from fanjet.client.session_interface import SessionInterface
    from fanjet.node.channel import LiveChannel

    from .subscription import Subscription

log = get_logger(__name__)


def start(session: SessionInterface, now: float) -> None:
    """Run the periodic work, unless the previous run is under way.

    Without subscriptions that need it, it is not scheduled again.
    """
    if not any(one.needs_periodic for one in session.subscriptions.values()):
        session.deadlines.periodic = inf
        return
    session.deadlines.periodic = now + session.context.settings.presence_update_interval
    if not session.periodic_running:
        session.periodic_running = True
        session.context.run_in_background(_run(session))


async def _run(session: SessionInterface) -> None:
    try:
        subscriptions = [one for one in session.subscriptions.values() if one.active]
        await _refresh_presence(session, subscriptions)
        await _check_positions(session, subscriptions)
        await _end_expired(session, subscriptions)
    finally:
        session.periodic_running = False


async def _refresh_presence(session: SessionInterface, subscriptions: list[Subscription]) -> None:
    """Refresh all presence entries concurrently.

    Remote engines send concurrent calls in one batch.
    """
    await gather([_refresh_entry(session, one) for one in subscriptions if one.options.presence])


async def _refresh_entry(session: SessionInterface, subscription: Subscription) -> None:
    try:
        await session.context.node.presence_manager.add(subscription.channel, session.client_id, subscription.info())
    except Exception as error:
        log_failure(log, "error updating presence", error, channel=subscription.channel)
    if not subscription.active:
        await _remove_stale_entry(session, subscription)


async def _remove_stale_entry(session: SessionInterface, ended: Subscription) -> None:
    """Remove the presence entry of a subscription that ended during its refresh.

    It stays if a newer subscription has presence.
    """
    while (newer := session.subscriptions.get(ended.channel)) is not None and not newer.active:
        await wait_until_settled(newer)
    if newer is None or not newer.options.presence:
        await remove_presence(session, ended)


async def _check_positions(session: SessionInterface, subscriptions: list[Subscription]) -> None:
    """Check the channels' shared positions that are due.

    Each is checked once per channel and node, by the first connection (D56).
    """
    context = session.context
    delay = context.settings.position_check_delay
    if not delay or context.node.broker.delivers_reliably:
        return
    checks = []
    now = context.now()
    for subscription in subscriptions:
        channel = context.node.hub.channels.get(subscription.channel)
        if channel is None or not subscription.active or not subscription.delivery.positioned:
            continue
        if now - channel.checked_at > delay:
            checks.append(_check_position(session, channel, subscription.options.history_meta_ttl))
    await gather(checks)


async def _check_position(session: SessionInterface, channel: LiveChannel, meta_ttl: int) -> None:
    """A failed check is due again at the next run (07 §11)."""
    before = channel.checked_at
    channel.checked_at = now = session.context.now()
    if not await session.context.node.check_position(channel, meta_ttl) and channel.checked_at == now:
        channel.checked_at = before


async def _end_expired(session: SessionInterface, subscriptions: list[Subscription]) -> None:
    """End expired subscriptions that the application does not refresh.

    A client-side one ends alone, a server-side one with its connection. Compared in whole seconds, like expiries, so
    that the last second is granted in full.
    """
    latest = int(session.context.unix_time()) - int(session.context.settings.expired_sub_close_delay)
    for subscription in subscriptions:
        if not subscription.active or not 0 < subscription.expire_at < latest:
            continue
        if subscription.refreshed_by_server and (
            await request_sub_refresh(session, subscription) or not subscription.active
        ):
            continue
        if subscription.server_side:
            session.disconnect(DISCONNECT_SUB_EXPIRED)
            return
        session.end_subscription(subscription, UNSUBSCRIBE_EXPIRED)
