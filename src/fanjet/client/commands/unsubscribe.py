"""Command `unsubscribe` (01 §6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fanjet.client.subscriptions.ending import needs_cleanup, stop_delivery, unsubscribe
from fanjet.protocol.codes import DISCONNECT_BAD_REQUEST, Disconnected
from fanjet.protocol.messages import UnsubscribeResult

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from fanjet.client.session_interface import SessionInterface
    from fanjet.protocol.messages import UnsubscribeRequest

DONE: Final = UnsubscribeResult()


def unsubscribe_command(
    session: SessionInterface, command_id: int, request: UnsubscribeRequest
) -> Coroutine[Any, Any, None] | None:
    """End a subscription; succeeds also without one."""
    channel = request.channel
    if not channel:
        raise Disconnected(DISCONNECT_BAD_REQUEST)
    subscription = session.subscriptions.get(channel)
    if subscription is not None:
        if not subscription.active or needs_cleanup(subscription):
            return _unsubscribe_and_reply(session, command_id, channel)
        stop_delivery(session, subscription)
    session.reply(command_id, DONE, channel)
    return None


async def _unsubscribe_and_reply(session: SessionInterface, command_id: int, channel: str) -> None:
    await unsubscribe(session, channel)
    session.reply(command_id, DONE, channel)
