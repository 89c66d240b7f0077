"""What workers and the engine's process say to each other: MessagePack arrays that begin with their kind.

Every call has one answer, in the order of the calls, so that neither needs a number. Events stand in the journal: those
that the engine makes before the answer is given. Fields may be added at the end.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

# msgspec reads the annotations
from fanjet.engines.interfaces import PublishOptions  # noqa: TC001
from fanjet.protocol.publication import ClientInfo, Publication, StreamPosition  # noqa: TC001

VERSION: Final = 5
"""Changes with what an older process would not understand: workers may be newer than the engine."""

# ------------------------------------------------------------------------------------------------------ calls


class Hello(Struct, frozen=True, array_like=True, gc=False, tag=0):
    """The first call, answered by `Seat`: which node this is. `farewell`: what the other nodes are told when it is
    gone, if anything."""

    version: int
    node: str
    farewell: bytes = b""


class Publish(Struct, frozen=True, array_like=True, gc=False, tag=1):
    """What the engine has to look at before it is published: with a key of idempotency, a version or a delta, with
    history where the worker cannot give the offset itself, or called after something of that kind. Answered by
    `Position`, or as done where there is none."""

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
    """Answered by `Stream`."""

    channel: str
    since: StreamPosition | None
    limit: int
    reverse: bool
    meta_ttl: int


class RemoveHistory(Struct, frozen=True, array_like=True, gc=False, tag=5):
    """See `Broker.remove_history`."""

    channel: str


class AddPresence(Struct, frozen=True, array_like=True, gc=False, tag=8):
    """An entry that lives no longer than the connection of its worker."""

    channel: str
    client: str
    info: ClientInfo


class RemovePresence(Struct, frozen=True, array_like=True, gc=False, tag=9):
    """See `PresenceManager.remove`."""

    channel: str
    client: str
    user: str


class ReadPresence(Struct, frozen=True, array_like=True, gc=False, tag=10):
    """Answered by `Presence`."""

    channel: str


class ReadPresenceStats(Struct, frozen=True, array_like=True, gc=False, tag=11):
    """Answered by `PresenceStats`."""

    channel: str


class PublishControl(Struct, frozen=True, array_like=True, gc=False, tag=12):
    """For one node, or for all others."""

    message: bytes
    node: str = ""


class Ping(Struct, frozen=True, array_like=True, gc=False, tag=13):
    """Asks for a sign of life."""


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
# ------------------------------------------------------------------------------------------------------ answers

Done: TypeAlias = int
"""So many calls have been done, with nothing to say of them."""


class Position(Struct, frozen=True, array_like=True, gc=False, tag=0):
    """What became of a publish, as in `Published`."""

    offset: int
    epoch: str
    suppressed: str
    place: int = 0
    generation: int = 0
    """Where the worker may give the next offsets itself, if this is not 0: see `Tops`."""


class Stream(Struct, frozen=True, array_like=True, gc=False, tag=1):
    """A read of a stream, as in `History`."""

    publications: list[Publication]
    offset: int
    epoch: str


class Presence(Struct, frozen=True, array_like=True, gc=False, tag=2):
    """Who is there, by client id."""

    entries: dict[str, ClientInfo]


class PresenceStats(Struct, frozen=True, array_like=True, gc=False, tag=3):
    """How many clients and users are there."""

    clients: int
    users: int


class Refused(Struct, frozen=True, array_like=True, gc=False, tag=4):
    """The call could not be done."""

    reason: str


class Seat(Struct, frozen=True, array_like=True, gc=False, tag=5):
    """Where the worker is called when there is something to read in the journal, and with which prefix all are."""

    number: int
    bells: str


Answer: TypeAlias = Position | Stream | Presence | PresenceStats | Refused | Seat


class Control(Struct, frozen=True, array_like=True, gc=False, tag=19):
    """A control message of another node; no answer, though it stands among them."""

    message: bytes


# ------------------------------------------------------------------------------------------------------ events


class Published(Struct, frozen=True, array_like=True, gc=False, tag=16):
    """See `BrokerEvents.on_publication`."""

    channel: str
    publication: Publication
    epoch: str
    use_delta: bool
    previous: Publication | None
    keep: tuple[int, int, int] | None = None
    """How the engine is to keep what it has not made itself: size, time to live of publications and of the stream."""


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
"""A message, or a list of them."""
decode_calls: Final = msgspec.msgpack.Decoder(list[Call]).decode
decode_answers: Final = msgspec.msgpack.Decoder(list[Done | Answer | Control]).decode
decode_events: Final = msgspec.msgpack.Decoder(list[Event]).decode
