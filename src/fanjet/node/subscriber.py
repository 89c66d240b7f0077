"""One connection's place in one channel, as the hub sees it."""

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
"""Counts subscribers that are no client's."""


class Delivery(Struct, frozen=True, cache_hash=True, gc=False):
    """What decides the bytes that a subscriber gets: all subscribers with equal deliveries share their frames."""

    wire: WireFormat
    positioned: bool
    delta: bool
    compact: bool
    push_join_leave: bool
    tags_filter: TagsFilter | None


class Subscriber(Struct, eq=False, gc=False):
    """A subscription's state towards the hub. A struct, which is made in half the time, and like all that a connection
    consists of one that the collector need not look at: what is in a cycle with it, whoever ends it cuts.

    It is *subscribing* while `buffer` is a list: publications are kept there, of `buffered` bytes, until the reply is
    in the outbox. Then it is *live*: in a group of its channel, sharing the channel's position, or *apart* with a
    position of its own until the channel has caught up with what it has read.
    """

    session: Session
    channel: str
    delivery: Delivery
    inflight: Gauge = UNCOUNTED
    """Counts it among those that there are now."""
    buffer: list[Publication] | None = []
    buffered: int = 0
    offset: int = 0
    epoch: str = ""
    in_hub: bool = False
