"""Checks that commands on a channel have in common (01 §6, CC)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.protocol.codes import DISCONNECT_BAD_REQUEST, Disconnected, ReplyError

if TYPE_CHECKING:
    from fanjet.channels.namespaces import Resolved
    from fanjet.client.session_interface import SessionInterface
    from fanjet.client.subscriptions.subscription import Subscription


def resolved_channel(session: SessionInterface, channel: str) -> Resolved:
    """Resolve the channel of a command.

    Raises `Disconnected` 3501 without a channel, error 102 for an unknown namespace, 107 for an invalid name, 108 for
    an unsupported channel type.
    """
    if not channel:
        raise Disconnected(DISCONNECT_BAD_REQUEST)
    resolved = session.context.node.namespaces.resolve(channel)
    if resolved.refusal is not None:
        raise ReplyError(resolved.refusal)
    return resolved


def active_subscription(session: SessionInterface, channel: str) -> Subscription | None:
    """The connection's active subscription to a channel, client-side or server-side."""
    subscription = session.subscriptions.get(channel)
    return subscription if subscription is not None and subscription.active else None
