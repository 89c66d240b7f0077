"""A channel with local subscribers and their shared stream position.

The subscribers are grouped by equal delivery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from .metrics import PUBLICATION

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from fanjet.protocol.publication import Publication
    from fanjet.telemetry.metrics import Flow

    from .metrics import ChannelMetrics
    from .session import Session
    from .subscriber import Delivery, Subscriber

Members = dict["Session", "Subscriber"]


class Group(Struct, eq=False, gc=False):
    """Live subscribers with equal deliveries.

    In a delta group, `fresh` holds those whose next publication must be full. `is_plain`: every publication is
    delivered in full. `prefix` and `flow`: the encoded prefix of a publication push and the counter of sent ones, set
    on the first publication.
    """

    delivery: Delivery
    is_plain: bool
    members: Members = {}
    fresh: Members = {}
    prefix: bytes = b""
    flow: Flow | None = None

    def __len__(self) -> int:
        return len(self.members) + len(self.fresh)

    def reset_deltas(self) -> None:
        """Send a full publication to all next.

        They do not have the base that a patch would need (01 §10.3).
        """
        self.fresh.update(self.members)
        self.members = {}

    def mark_ready(self) -> None:
        """All have received a full publication of the stream: patches may follow."""
        if self.members:
            self.members.update(self.fresh)
        else:
            self.members = self.fresh
        self.fresh = {}


class LiveChannel(Struct, eq=False, gc=False):
    """Local state of one channel (DESIGN rule 4).

    A struct, because many connections have a channel of their own.

    `offset` and `epoch` are the position shared by all positioned subscribers in `groups`; meaningless without any.
    `ungrouped` holds subscribers that do not share it: those still subscribing, and those that have read the stream
    further than this node has received it. `subscribed`: the broker delivers the channel. `pending`: the broker's call
    under way, or completed and not yet processed; `unsubscribing`: that call is an unsubscribe.

    Where the namespace `keeps_latest`, patches for subscribers without positions are based on `latest`, the publication
    last delivered on this node (07 §21).
    """

    name: str
    metrics: ChannelMetrics
    groups: dict[Delivery, Group] = {}
    ungrouped: Members = {}
    keeps_latest: bool = False
    latest: Publication | None = None
    count: int = 0
    positioned: int = 0
    offset: int = 0
    epoch: str = ""
    checked_at: float = 0.0
    numeric_id: int = 0
    subscribed: bool = False
    unsubscribing: bool = False
    pending: asyncio.Future[None] | None = None

    def prefix(self, delivery: Delivery) -> bytes:
        """The encoded prefix of a publication push in this channel."""
        return delivery.wire.codec.publication_prefix(self.name, self.numeric_id if delivery.compact else 0)

    def prepare_group(self, group: Group) -> Flow:
        """Set the prefix and counter of a group before its first publication.

        Returns the counter.
        """
        group.prefix = self.prefix(group.delivery)
        flow = group.flow = self.metrics.sent(PUBLICATION, group.delivery.wire)
        return flow

    def add(self, subscriber: Subscriber) -> None:
        """Add a subscriber that is still subscribing."""
        self.ungrouped[subscriber.session] = subscriber
        self.count += 1

    def remove(self, subscriber: Subscriber) -> None:
        """Remove a subscriber from its group, or from the ungrouped ones."""
        self.count -= 1
        if not self.count:  # the only subscriber, the usual case
            self.ungrouped, self.groups, self.positioned = {}, {}, 0
            return
        session = subscriber.session
        if self.ungrouped.get(session) is subscriber:
            del self.ungrouped[session]
            return
        group = self.groups[subscriber.delivery]
        (group.members if session in group.members else group.fresh).pop(session)
        if not group:
            del self.groups[subscriber.delivery]
        if subscriber.delivery.positioned:
            self.positioned -= 1

    def go_live(self, subscriber: Subscriber, *, delta_ready: bool, now: float) -> None:
        """Move a subscriber whose reply is in the outbox into its group.

        It is left ungrouped while its position differs.

        The first subscriber sets the shared position. An ungrouped subscriber gets a full publication first when it
        joins.
        """
        if subscriber.delivery.positioned:
            if self.positioned == 0:
                self.offset, self.epoch, self.checked_at = subscriber.offset, subscriber.epoch, now
            elif (self.offset, self.epoch) != (subscriber.offset, subscriber.epoch):
                return
            self.positioned += 1
        session = subscriber.session
        self.ungrouped.pop(session, None)
        if not self.ungrouped:
            self.ungrouped = {}  # a new dict has no table, which is 160 bytes
        group = self.groups.get(subscriber.delivery)
        if group is None:
            delivery = subscriber.delivery
            is_plain = not delivery.delta and delivery.tags_filter is None
            group = self.groups[delivery] = Group(delivery, is_plain)
        if subscriber.delivery.delta and not delta_ready:
            group.fresh[session] = subscriber
        else:
            group.members[session] = subscriber

    def refresh(self, subscriber: Subscriber) -> None:
        """Send a full publication to the subscriber next.

        The subscriber got one of its own, which the channel's patches are not based on.
        """
        group = self.groups.get(subscriber.delivery)
        if group is not None and group.members.pop(subscriber.session, None) is not None:
            group.fresh[subscriber.session] = subscriber

    def change(self, subscriber: Subscriber, delivery: Delivery) -> None:
        """Change a subscriber's delivery. Its position stays."""
        in_group = self.ungrouped.get(subscriber.session) is not subscriber
        if in_group and delivery.positioned:
            subscriber.offset, subscriber.epoch = self.offset, self.epoch
        self.remove(subscriber)
        subscriber.delivery = delivery
        self.add(subscriber)
        if in_group:
            self.go_live(subscriber, delta_ready=False, now=self.checked_at)

    def accept(self, offset: int, epoch: str) -> bool | None:
        """Whether positioned subscribers get this publication.

        True, False (late or repeated), or None: they missed one.
        """
        if self.epoch != epoch:
            if self.epoch:
                return None
            self.epoch = epoch
        expected = self.offset + 1
        if offset == expected:
            self.offset = offset
            return True
        return None if offset > expected else False

    def live_subscribers(self) -> list[Subscriber]:
        """All subscribers that have completed subscribing."""
        return _all_in(self.groups.values()) + [one for one in self.ungrouped.values() if one.buffer is None]

    def positioned_subscribers(self) -> list[Subscriber]:
        """All subscribers that share the position."""
        return _all_in(group for group in self.groups.values() if group.delivery.positioned)

    def desynchronised_subscribers(self, offset: int, epoch: str) -> list[Subscriber]:
        """All live positioned subscribers that are not at the stream's top.

        The top is as it was read before. Ungrouped ones may have read the stream later, and be further.
        """
        desynchronised = [
            one
            for one in self.ungrouped.values()
            if one.buffer is None and one.delivery.positioned and (one.offset < offset or one.epoch != epoch)
        ]
        if (self.offset, self.epoch) != (offset, epoch):
            desynchronised += self.positioned_subscribers()
        return desynchronised


def _all_in(groups: Iterable[Group]) -> list[Subscriber]:
    return [
        subscriber for group in groups for members in (group.members, group.fresh) for subscriber in members.values()
    ]
