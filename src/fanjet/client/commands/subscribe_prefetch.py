"""Prefetches the channels of queued subscribes during a broker call.

Reconnecting clients send their subscribes together, in one frame or in many. The commands run sequentially
(01 §4.4), but while a subscribe waits for the broker, the other channels that the node is not subscribed to are
requested from it together: one round trip for a hundred channels, without a task for each.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from fanjet.channels.permissions import may_subscribe
from fanjet.protocol.codec import MalformedFrame
from fanjet.protocol.codes import ReplyError

from .proxied import decides_subscription

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanjet.client.session_interface import SessionInterface
    from fanjet.protocol.messages import Command, SubscribeRequest

    Commands = Iterator[tuple[Command, int]]

MAX_COMMANDS: Final = 100
"""Commands to decode ahead, over all frames: a decoded command takes a hundred times the memory of its frame, and
time."""
MAX_FRAME_BYTES: Final = 1024
"""Length of the longest frame decoded ahead."""


def waits_for_broker(session: SessionInterface, waiting: Command) -> bool:
    """Whether this command is a subscribe that waits for the broker."""
    request = waiting.subscribe
    return request is not None and session.context.node.is_subscribing(request.channel)


def prefetch(session: SessionInterface, commands: Commands, limit: int = MAX_COMMANDS) -> tuple[Commands, int]:
    """Prefetch the channels of subscribes up to the first other command.

    Returns all the commands, and how many more may be prefetched behind them: 0 unless all of these were subscribes.
    """
    read: list[tuple[Command, int]] = []
    channels: list[str] = []
    try:
        for command, size in commands:
            read.append((command, size))
            if command.subscribe is None:
                limit = 0
            else:
                limit -= 1
                if _is_permitted(session, command.subscribe):
                    channels.append(command.subscribe.channel)
            if not limit:
                break
    except MalformedFrame:
        limit = 0
        commands = _failing()
    session.context.node.prefetch_channels(channels)
    return (iter(read) if limit else chain(read, commands)), limit


def prefetch_frame(session: SessionInterface, frame: bytes, limit: int) -> tuple[Commands, int]:
    """Decode a frame and `prefetch` its commands."""
    try:
        commands = session.transport.wire.codec.commands(frame)
    except MalformedFrame:
        return _failing(), 0
    return prefetch(session, commands, limit)


def _failing() -> Commands:
    """Raise the decoding error when its turn comes.

    A stored exception would hold the session through its frames.
    """
    raise MalformedFrame
    yield


def _is_permitted(session: SessionInterface, request: SubscribeRequest) -> bool:
    """Whether the subscribe will probably be accepted.

    Decisions by token or by the application are not predicted.
    """
    context = session.context
    limit = context.settings.channel_max_length
    channel = request.channel
    if not channel or request.token or channel in session.subscriptions or 0 < limit < len(channel):
        return False
    try:
        resolved = context.node.namespaces.resolve(channel)
    except ReplyError:
        return False
    if (resolved.open_to_users if session.user else resolved.open_to_anonymous) is not None:
        return True
    insecure = context.config.insecure
    return not decides_subscription(resolved) and may_subscribe(resolved, session, insecure=insecure) is not None
