"""A channel with local subscribers: who they are, grouped by the bytes they get, and the position they share."""

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
    """Live subscribers that get the same bytes. Of a delta group, `fresh` holds those whose next publication must be
    full. `is_plain`: they get every publication, in full. `prefix` and `flow`: what precedes a publication in a push to
    them and what counts those, once there has been any.
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
        """Send everyone a full publication next: the base that a patch would need is not theirs (01 §10.3)."""
        self.fresh.update(self.members)
        self.members = {}

    def mark_ready(self) -> None:
        """Everyone has had a full publication of the stream: patches may follow."""
        if self.members:
            self.members.update(self.fresh)
        else:
            self.members = self.fresh
        self.fresh = {}


class LiveChannel(Struct, eq=False, gc=False):
    """Local state of one channel (DESIGN rule 4). A struct, because many connections have a channel of their own.

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
        """What precedes a publication in a push of this channel."""
        return delivery.wire.codec.publication_prefix(self.name, self.numeric_id if delivery.compact else 0)

    def prepare_group(self, group: Group) -> Flow:
        """Make what a group needs that is about to get its first publication. Returns what counts them."""
        group.prefix = self.prefix(group.delivery)
        flow = group.flow = self.metrics.sent(PUBLICATION, group.delivery.wire)
        return flow

    def add(self, subscriber: Subscriber) -> None:
        """Take in a subscriber that is still subscribing."""
        self.ungrouped[subscriber.session] = subscriber
        self.count += 1

    def remove(self, subscriber: Subscriber) -> None:
        """Let a subscriber go, wherever it stands."""
        self.count -= 1
        if not self.count:  # the only one, as most are
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
        """Move a subscriber whose reply is in the outbox into its group, or keep it apart while its position differs.

        Whoever comes first decides the shared position. A subscriber apart starts its deltas anew when it joins.
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
            self.ungrouped = {}  # without a table, which is 160 bytes: the next channel gets that of the one before
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
        """Send a full publication next: it has got one of its own, which those of the channel are no patches to."""
        group = self.groups.get(subscriber.delivery)
        if group is not None and group.members.pop(subscriber.session, None) is not None:
            group.fresh[subscriber.session] = subscriber

    def change(self, subscriber: Subscriber, delivery: Delivery) -> None:
        """Deliver differently to a subscriber from now on. Its position stays."""
        in_group = self.ungrouped.get(subscriber.session) is not subscriber
        if in_group and delivery.positioned:
            subscriber.offset, subscriber.epoch = self.offset, self.epoch
        self.remove(subscriber)
        subscriber.delivery = delivery
        self.add(subscriber)
        if in_group:
            self.go_live(subscriber, delta_ready=False, now=self.checked_at)

    def accept(self, offset: int, epoch: str) -> bool | None:
        """Whether positioned subscribers get this publication: yes, no (late or repeated), None: they missed
        something.
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
        """All who are not still subscribing."""
        return _all_in(self.groups.values()) + [one for one in self.ungrouped.values() if one.buffer is None]

    def positioned_subscribers(self) -> list[Subscriber]:
        """All who share the position."""
        return _all_in(group for group in self.groups.values() if group.delivery.positioned)

    def desynchronised_subscribers(self, offset: int, epoch: str) -> list[Subscriber]:
        """All live positioned subscribers who are not at the top of the stream as it was read a moment ago. Who is
        apart may have read it later, and stand further."""
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
