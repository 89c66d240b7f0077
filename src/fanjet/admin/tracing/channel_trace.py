"""Trace of all deliveries in a channel, from every node (10 I.2).

A trace subscribes to the channel like a client, with its own wire format that encodes events: the hub needs no code for
it and no work without traces. The trace counts among the channel's subscribers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from fanjet.node.subscriber import Delivery, Subscriber
from fanjet.protocol.messages import JoinPush, LeavePush
from fanjet.protocol.wire import WireFormat

from ..event_stream import event_line
from .message_format import format_message

if TYPE_CHECKING:
    from fanjet.node.node import Node
    from fanjet.node.session import Session
    from fanjet.protocol.codec import Codec
    from fanjet.protocol.codes import Disconnect
    from fanjet.protocol.messages import PushBody
    from fanjet.protocol.publication import Publication

    from ..event_stream import EventStream

_PUSH_TYPES = {JoinPush: "join", LeavePush: "leave"}


class _EventCodec:
    """A codec that encodes pushes as events."""

    name = "trace"
    ping = b""
    pushes_json = False

    def size(self, message: bytes) -> int:
        """Messages to a trace are not counted in metrics."""
        return 0

    def sizes(self, frame: bytes) -> tuple[int, ...]:
        """A trace sends no commands."""
        return ()

    def push(self, channel: str, body: PushBody, channel_id: int = 0) -> bytes:
        """Encode a join or a leave."""
        return event_line(_PUSH_TYPES.get(type(body), "push"), format_message(body), channel=channel)

    def publication_prefix(self, channel: str, channel_id: int = 0) -> bytes:
        """Encode the channel."""
        return channel.encode()

    def publication_push(self, prefix: bytes, publication: Publication) -> bytes:
        """Encode a publication."""
        content = format_message(publication)
        del content["time"]
        content.pop("is_json", None)
        return event_line("pub", content, channel=publication.channel or prefix.decode())


_WIRE: Final = WireFormat("trace", cast("Codec", _EventCodec()), lambda line: line)
"""Shared by all traces: an event is encoded once for all of them, and caches per wire format are shared."""


class _TraceSession:
    """Stands in for the session of a subscriber in the hub."""

    client_id = user = session_id = ""
    labels = None

    def __init__(self, stream: EventStream) -> None:
        self.outbox: list[bytes] | None = None
        self._stream = stream

    def flush(self) -> None:
        """Write the events."""
        lines, self.outbox = self.outbox, None
        for line in lines or ():
            self._stream.write_line(line)

    def disconnect(self, disconnect: Disconnect) -> None:
        """A delivery failed, for example of a publication that is too long."""
        self._stream.emit("disconnect", {"code": disconnect.code, "reason": disconnect.reason})
        self._stream.finish()

    def on_insufficient_state(self, subscriber: Subscriber) -> None:
        """A trace keeps no position."""


async def trace_channel(node: Node, channel: str, stream: EventStream) -> None:
    """Trace a channel until the stream ends.

    Raises `ReplyError` for an unknown namespace, and the broker's errors.
    """
    node.resolve(channel)
    delivery = Delivery(_WIRE, positioned=False, delta=False, compact=False, push_join_leave=True, tags_filter=None)
    subscriber = Subscriber(cast("Session", _TraceSession(stream)), channel, delivery)
    try:
        await node.subscribe_channel(subscriber)
    except BaseException:
        node.unsubscribe_channel(subscriber)
        raise
    stream.on_end(lambda: node.unsubscribe_channel(subscriber))
    if stream.open:
        node.hub.go_live(subscriber)
