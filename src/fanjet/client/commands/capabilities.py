"""Replaces a connection's capabilities on refresh (03 §14.1)."""

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
    """Set the capabilities of a new token, possibly none.

    Subscriptions that only the old ones allowed end.
    """
    if not session.capabilities and not capabilities:
        return
    session.capabilities = capabilities
    revoked = [
        channel
        for channel, subscription in session.subscriptions.items()
        if subscription.options.source is Source.CONNECTION_CAPABILITY and not grants(capabilities, SUBSCRIBE, channel)
    ]
    for channel in revoked:
        session.context.run_in_background(session.unsubscribe_by_server(channel, UNSUBSCRIBE_SERVER))
