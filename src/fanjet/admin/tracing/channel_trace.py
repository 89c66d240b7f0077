"""Everything that is delivered in one channel, from whatever node it comes (10 I.2).

Who traces subscribes to the channel like a client, with a wire format of its own that makes events: the hub has nothing
to do with it, and nothing more to do when nobody traces. The trace counts among the channel's subscribers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from fanjet.node.subscriber import Delivery, Subscriber
from fanjet.protocol.messages import JoinPush, LeavePush
from fanjet.protocol.wire import WireFormat

from ..event_stream import event_line
from .message_format import readable

if TYPE_CHECKING:
    from fanjet.node.node import Node
    from fanjet.node.session import Session
    from fanjet.protocol.codec import Codec
    from fanjet.protocol.codes import Disconnect
    from fanjet.protocol.messages import PushBody
    from fanjet.protocol.publication import Publication

    from ..event_stream import EventStream

_NAMES = {JoinPush: "join", LeavePush: "leave"}


class _Events:
    """A codec whose messages are events."""

    name = "trace"
    ping = b""
    pushes_json = False

    def size(self, message: bytes) -> int:
        """What goes to a trace does not count."""
        return 0

    def sizes(self, frame: bytes) -> tuple[int, ...]:
        """Nor does anything come from it."""
        return ()

    def push(self, channel: str, body: PushBody, channel_id: int = 0) -> bytes:
        """A join or a leave."""
        return event_line(_NAMES.get(type(body), "push"), readable(body), channel=channel)

    def publication_prefix(self, channel: str, channel_id: int = 0) -> bytes:
        """The channel."""
        return channel.encode()

    def publication_push(self, prefix: bytes, publication: Publication) -> bytes:
        """A publication."""
        told = readable(publication)
        del told["time"]
        told.pop("is_json", None)
        return event_line("pub", told, channel=publication.channel or prefix.decode())


_WIRE: Final = WireFormat("trace", cast("Codec", _Events()), lambda line: line)
"""All traces share it: an event is encoded once for all of them, and whatever is remembered for a wire format is
remembered once."""


class _Listener:
    """What the hub takes for the session of a subscriber."""

    client_id = user = session_id = ""
    labels = None

    def __init__(self, stream: EventStream) -> None:
        self.outbox: list[bytes] | None = None
        self._stream = stream

    def flush(self) -> None:
        """Write the events."""
        lines, self.outbox = self.outbox, None
        for line in lines or ():
            self._stream.pass_on(line)

    def disconnect(self, disconnect: Disconnect) -> None:
        """Something could not be delivered, such as a publication that is too long."""
        self._stream.tell("disconnect", {"code": disconnect.code, "reason": disconnect.reason})
        self._stream.finish()

    def lose_position(self, subscriber: Subscriber) -> None:
        """It has none."""


async def trace_channel(node: Node, channel: str, stream: EventStream) -> None:
    """Tell what comes in a channel until the stream ends. Raises `ReplyError` for an unknown namespace, and what the
    broker raises."""
    node.resolve(channel)
    delivery = Delivery(_WIRE, positioned=False, delta=False, compact=False, push_join_leave=True, tags_filter=None)
    subscriber = Subscriber(cast("Session", _Listener(stream)), channel, delivery)
    try:
        await node.subscribe_channel(subscriber)
    except BaseException:
        node.unsubscribe_channel(subscriber)
        raise
    stream.on_end(lambda: node.unsubscribe_channel(subscriber))
    if stream.open:
        node.hub.go_live(subscriber)
