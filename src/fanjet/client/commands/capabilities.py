"""Capabilities of a connection when a new token brings others (03 §14.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.channels.capabilities import SUBSCRIBE, grants
from fanjet.channels.subscription import Source
from fanjet.protocol.codes import UNSUBSCRIBE_SERVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanjet.client.session_interface import SessionInterface
    from fanjet.protocol.capability import Capability


def replace_capabilities(session: SessionInterface, capabilities: Sequence[Capability]) -> None:
    """Take the new ones over, none among them. Subscriptions that the old ones allowed and the new ones do not end."""
    if not session.capabilities and not capabilities:
        return
    session.capabilities = capabilities
    lost = [
        channel
        for channel, subscription in session.subscriptions.items()
        if subscription.options.source is Source.CONNECTION_CAPABILITY and not grants(capabilities, SUBSCRIBE, channel)
    ]
    for channel in lost:
        session.context.run_in_background(session.unsubscribe_by_server(channel, UNSUBSCRIBE_SERVER))
