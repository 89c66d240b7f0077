"""What comes next is asked for while a subscribe waits for the broker, so that it need not wait in its turn.

Clients that come back send their subscribes together, in one frame or in many. They are carried out one after the
other (01 §4.4), but the channels that the node does not hear yet travel to the broker together: one round trip for a
hundred, no task for each.
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
"""Commands to look at in a frame, and in those behind it: what has been looked at waits in memory, a hundred times as
large as it came, and took its time."""
MAX_FRAME_BYTES: Final = 1024
"""Bytes of a frame behind it."""


def waits_for_broker(session: SessionInterface, waiting: Command) -> bool:
    """Whether this command is a subscribe that waits for the broker."""
    request = waiting.subscribe
    return request is not None and session.context.node.is_subscribing(request.channel)


def prefetch(session: SessionInterface, commands: Commands, limit: int = MAX_COMMANDS) -> tuple[Commands, int]:
    """The commands again, whose subscribes, up to the first that is none, the broker has been asked for; and how many
    more may be looked at behind them, 0 unless that was all of them."""
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
    """The same for a frame."""
    try:
        commands = session.transport.wire.codec.commands(frame)
    except MalformedFrame:
        return _failing(), 0
    return prefetch(session, commands, limit)


def _failing() -> Commands:
    """The mistake, in its turn. An exception that was kept until then would hold the session, by its frames."""
    raise MalformedFrame
    yield


def _is_permitted(session: SessionInterface, request: SubscribeRequest) -> bool:
    """Whether it will hardly be refused. Where a token or the application decides it is not foreseen."""
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
