"""Messages between workers and the engine's process.

They are MessagePack arrays that begin with a tag.

Every call has one reply, in the order of the calls, so that neither needs an id. Events are in the journal: those that
a call causes are appended before its reply is sent. Fields may be added at the end.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

# msgspec reads the annotations
from fanjet.engines.interfaces import PublishOptions  # noqa: TC001
from fanjet.protocol.publication import ClientInfo, Publication, StreamPosition  # noqa: TC001

VERSION: Final = 5
"""Changes with every incompatible change, since workers may be newer than the engine."""

# ------------------------------------------------------------------------------------------------------ calls


class Hello(Struct, frozen=True, array_like=True, gc=False, tag=0):
    """The first call, with the id of the node.

    Reply: `ReaderSlot`. `last_will`: the control message that the other nodes get when this worker disconnects, if any.
    """

    version: int
    node: str
    last_will: bytes = b""


class Publish(Struct, frozen=True, array_like=True, gc=False, tag=1):
    """A publish that the engine has to do.

    With an idempotency key, a version or a delta, with history where the worker cannot assign the offset itself, or
    after such a call in the same channel. Reply: `Position`, or `Done` where there is none.
    """

    channel: str
    data: bytes
    options: PublishOptions


class PublishJoin(Struct, frozen=True, array_like=True, gc=False, tag=2):
    """See `Broker.publish_join`."""

    channel: str
    info: ClientInfo


class PublishLeave(Struct, frozen=True, array_like=True, gc=False, tag=3):
    """See `Broker.publish_leave`."""

    channel: str
    info: ClientInfo


class ReadHistory(Struct, frozen=True, array_like=True, gc=False, tag=4):
    """See `Broker.history`. Reply: `Stream`."""

    channel: str
    since: StreamPosition | None
    limit: int
    reverse: bool
    meta_ttl: int


class RemoveHistory(Struct, frozen=True, array_like=True, gc=False, tag=5):
    """See `Broker.remove_history`."""

    channel: str


class AddPresence(Struct, frozen=True, array_like=True, gc=False, tag=8):
    """See `PresenceManager.add`. The entry is removed when its worker disconnects."""

    channel: str
    client: str
    info: ClientInfo


class RemovePresence(Struct, frozen=True, array_like=True, gc=False, tag=9):
    """See `PresenceManager.remove`."""

    channel: str
    client: str
    user: str


class ReadPresence(Struct, frozen=True, array_like=True, gc=False, tag=10):
    """See `PresenceManager.presence`. Reply: `Presence`."""

    channel: str


class ReadPresenceStats(Struct, frozen=True, array_like=True, gc=False, tag=11):
    """See `PresenceManager.presence_stats`. Reply: `PresenceStats`."""

    channel: str


class PublishControl(Struct, frozen=True, array_like=True, gc=False, tag=12):
    """A control message for one node, or for all others."""

    message: bytes
    node: str = ""


class Ping(Struct, frozen=True, array_like=True, gc=False, tag=13):
    """Keepalive."""


Call: TypeAlias = (
    Hello
    | Publish
    | PublishJoin
    | PublishLeave
    | ReadHistory
    | RemoveHistory
    | AddPresence
    | RemovePresence
    | ReadPresence
    | ReadPresenceStats
    | PublishControl
    | Ping
)
# ------------------------------------------------------------------------------------------------------ replies

Done: TypeAlias = int
"""The number of calls that have been done and have no other reply."""


class Position(Struct, frozen=True, array_like=True, gc=False, tag=0):
    """The result of a publish, as in `fanjet.engines.interfaces.Published`."""

    offset: int
    epoch: str
    suppressed: str
    slot: int = 0
    generation: int = 0
    """If not 0, the worker may assign the next offsets itself in this slot: see `OffsetTable`."""


class Stream(Struct, frozen=True, array_like=True, gc=False, tag=1):
    """The result of reading a stream, as in `History`."""

    publications: list[Publication]
    offset: int
    epoch: str


class Presence(Struct, frozen=True, array_like=True, gc=False, tag=2):
    """Client infos by client id."""

    entries: dict[str, ClientInfo]


class PresenceStats(Struct, frozen=True, array_like=True, gc=False, tag=3):
    """Numbers of clients and users."""

    clients: int
    users: int


class Refused(Struct, frozen=True, array_like=True, gc=False, tag=4):
    """The call failed."""

    reason: str


class ReaderSlot(Struct, frozen=True, array_like=True, gc=False, tag=5):
    """The worker's slot in the reader table.

    With the prefix of the paths of all wakeup pipes.
    """

    number: int
    pipe_prefix: str


Reply: TypeAlias = Position | Stream | Presence | PresenceStats | Refused | ReaderSlot


class Control(Struct, frozen=True, array_like=True, gc=False, tag=19):
    """A control message from another node. It is sent between replies, but is none."""

    message: bytes


# ------------------------------------------------------------------------------------------------------ events


class Published(Struct, frozen=True, array_like=True, gc=False, tag=16):
    """See `BrokerEvents.on_publication`."""

    channel: str
    publication: Publication
    epoch: str
    use_delta: bool
    previous: Publication | None
    retention: tuple[int, int, int] | None = None
    """Set if the engine has to store it: history size, time to live of publications and of the stream."""


class Joined(Struct, frozen=True, array_like=True, gc=False, tag=17):
    """See `BrokerEvents.on_join`."""

    channel: str
    info: ClientInfo


class Left(Struct, frozen=True, array_like=True, gc=False, tag=18):
    """See `BrokerEvents.on_leave`."""

    channel: str
    info: ClientInfo


Event: TypeAlias = Published | Joined | Left

# ------------------------------------------------------------------------------------------------------ encoding

encode: Final = msgspec.msgpack.Encoder().encode
"""Encodes a message, or a list of messages."""
decode_calls: Final = msgspec.msgpack.Decoder(list[Call]).decode
decode_replies: Final = msgspec.msgpack.Decoder(list[Done | Reply | Control]).decode
decode_events: Final = msgspec.msgpack.Decoder(list[Event]).decode
