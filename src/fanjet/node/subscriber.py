"""One connection's state in one channel, for the hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from fanjet.telemetry.metrics import Gauge

if TYPE_CHECKING:
    from fanjet.protocol.publication import Publication
    from fanjet.protocol.tags_filter import TagsFilter
    from fanjet.protocol.wire import WireFormat

    from .session import Session


UNCOUNTED: Final = Gauge()
"""The gauge of subscribers that are not a client's."""


class Delivery(Struct, frozen=True, cache_hash=True, gc=False):
    """Determines the bytes that a subscriber gets.

    Subscribers with equal deliveries share their frames.
    """

    wire: WireFormat
    positioned: bool
    delta: bool
    compact: bool
    push_join_leave: bool
    tags_filter: TagsFilter | None


class Subscriber(Struct, eq=False, gc=False):
    """A subscription's state for the hub.

    A struct, which is created in half the time and is not garbage collected; reference cycles with it are broken when
    it ends.

    It is *subscribing* while `buffer` is a list: publications of `buffered` bytes are kept there until the reply is in
    the outbox. Then it is *live*: in a group of its channel, sharing the channel's position, or *ungrouped* with a
    position of its own until the channel has caught up with it.
    """

    session: Session
    channel: str
    delivery: Delivery
    inflight: Gauge = UNCOUNTED
    """The gauge that counts it while it is in the hub."""
    buffer: list[Publication] | None = []
    buffered: int = 0
    offset: int = 0
    epoch: str = ""
    in_hub: bool = False
