"""Local fan-out: delivers broker events to the outboxes of subscribed sessions."""

from __future__ import annotations

import asyncio
import itertools
import sys
from math import inf
from time import monotonic, perf_counter, time
from typing import TYPE_CHECKING

from fanjet.protocol.codes import (
    DISCONNECT_INAPPROPRIATE_PROTOCOL,
    DISCONNECT_INSUFFICIENT_STATE,
    DISCONNECT_SLOW,
    Disconnect,
)
from fanjet.protocol.messages import JoinPush, LeavePush

from .channel import LiveChannel
from .frames import PublicationFrames, info_is_json
from .metrics import JOIN, LEAVE, PUBLICATION, NodeMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fanjet.protocol.publication import ClientInfo, Publication
    from fanjet.telemetry.metrics import Flow

    from .channel import Group, Members
    from .flusher import Flusher
    from .frames import Frame
    from .session import Session
    from .subscriber import Delivery, Subscriber


BUFFERED_OVERHEAD = 128
"""Approximate bytes that a publication takes in memory besides its data."""
MIN_BUFFER_BYTES = 64 * 1024
"""Bytes of publications that are buffered for a subscribing session, however small the outbox limit is."""


class Hub:
    """Channels with local subscribers, and the delivery of broker events to them.

    `max_message`: a longer message ends the connection with 3008, 0 for no limit (`client.queue_max_size`). `max_lag`:
    the greatest age in seconds of a publication for positioned subscribers, 0 for no limit.
    """

    def __init__(
        self, flusher: Flusher, metrics: NodeMetrics | None = None, *, max_message: int = 0, max_lag: float = 0.0
    ) -> None:
        self.channels: dict[str, LiveChannel] = {}
        self._metrics = NodeMetrics() if metrics is None else metrics
        self._flusher = flusher
        self._dirty = flusher.dirty
        self._max_message = max_message or sys.maxsize
        self._max_buffered = max(max_message, MIN_BUFFER_BYTES) if max_message else inf
        self._max_lag = max_lag or inf
        self._numeric_ids = itertools.count(1)
        self._to_disconnect: list[tuple[Session, Disconnect]] = []
        self._insufficient: list[Subscriber] = []
        self._end_scheduled = False
        self.subscription_count = 0
        self.on_broker_restored: Callable[[], None] | None = None
        """Called when the broker is available again after an outage."""

    # ------------------------------------------------------------------------------------------ membership

    def add(self, subscriber: Subscriber) -> LiveChannel:
        """Add a subscriber; from now on its publications are buffered."""
        channel = self.live(subscriber.channel)
        if subscriber.delivery.compact and not channel.numeric_id:
            channel.numeric_id = next(self._numeric_ids)
        channel.add(subscriber)
        subscriber.in_hub = True
        self.subscription_count += 1
        channel.metrics.added.value += 1
        subscriber.inflight.value += 1
        return channel

    def live(self, name: str) -> LiveChannel:
        """Return the state of a channel, created if missing."""
        channel = self.channels.get(name)
        if channel is None:
            channel = self.channels[name] = LiveChannel(name, self._metrics.every_channel or self._metrics.of(name))
        return channel

    def remove(self, subscriber: Subscriber) -> LiveChannel | None:
        """Remove a subscriber: nothing more is sent to it.

        Returns its channel when it was the last one.
        """
        if not subscriber.in_hub:
            return None
        subscriber.in_hub = False
        channel = self.channels[subscriber.channel]
        channel.remove(subscriber)
        self.subscription_count -= 1
        channel.metrics.removed.value += 1
        subscriber.inflight.value -= 1
        return channel if channel.count == 0 else None

    def go_live(self, subscriber: Subscriber, *, delta_ready: bool = False, now: float = 0.0) -> None:
        """Deliver directly from now on: the reply is in the outbox.

        Buffered publications covered by the subscriber's position are dropped; buffered ones outside the stream follow
        the reply (01 FIX 10).
        """
        buffered, subscriber.buffer = subscriber.buffer, None
        channel = self.channels[subscriber.channel]
        channel.go_live(subscriber, delta_ready=delta_ready, now=now)
        for publication in buffered or ():
            if not (subscriber.delivery.positioned and publication.offset):
                self.send(subscriber, publication)

    def change(self, subscriber: Subscriber, delivery: Delivery) -> None:
        """Change a subscriber's delivery."""
        if subscriber.in_hub:
            self.channels[subscriber.channel].change(subscriber, delivery)

    def active_channels(self) -> Iterator[LiveChannel]:
        """Channels that have subscribers."""
        return (channel for channel in self.channels.values() if channel.count)

    # ------------------------------------------------------------------------------------------ broker events

    def on_publication(
        self, channel: str, publication: Publication, epoch: str, *, use_delta: bool, previous: Publication | None
    ) -> None:
        """Deliver a publication to the channel's subscribers whose filter it passes.

        See 01 §8.6.
        """
        live = self.channels.get(channel)
        if live is None or not live.count:
            (self._metrics.every_channel or self._metrics.of(channel)).received_publication.value += 1
            return
        metrics = live.metrics
        metrics.received_publication.value += 1
        started = perf_counter()
        late = False
        sent_at = publication.time
        if sent_at:  # not every publisher sets the time (07 §15.5, §16)
            age = time() - sent_at / 1000
            metrics.lag.observe(age if age > 0 else -age)
            late = age > self._max_lag
        offset = publication.offset
        to_positioned = self._accept(live, publication, epoch, late) if offset and live.positioned else not offset
        base = previous if use_delta and offset else None
        frames = PublicationFrames(publication, base, self._max_message)
        local = self._frames_after_latest(live, publication, use_delta) if live.keeps_latest else frames
        for group in live.groups.values():
            delivery = group.delivery
            if not to_positioned and delivery.positioned:
                continue
            flow = group.flow or live.prepare_group(group)
            if group.is_plain:
                self._deliver(group.members, frames.plain(delivery, group.prefix), flow)
            elif delivery.tags_filter is not None and not delivery.tags_filter.matches(publication.tags):
                metrics.filtered.value += len(group)
            elif delivery.delta:
                has_base = offset > 0 if delivery.positioned else live.keeps_latest
                self._deliver_delta(group, flow, frames if delivery.positioned else local, has_base=has_base)
            else:
                self._deliver(group.members, frames.plain(delivery, group.prefix), flow)
        if live.ungrouped:
            self._deliver_ungrouped(live, publication, epoch, frames, late)
        if self._dirty:
            self._flusher.schedule()
        metrics.broadcast.observe(perf_counter() - started)

    def on_join(self, channel: str, info: ClientInfo) -> None:
        """Deliver a join push to subscribers with join and leave pushes."""
        self._metrics.of(channel).received_join.value += 1
        self._deliver_presence_event(channel, JoinPush(info), JOIN)

    def on_leave(self, channel: str, info: ClientInfo) -> None:
        """Deliver a leave push to subscribers with join and leave pushes."""
        self._metrics.of(channel).received_leave.value += 1
        self._deliver_presence_event(channel, LeavePush(info), LEAVE)

    def on_publication_pending(self) -> None:
        """Batch replies, because a publication is pending; see `BrokerEvents`.

        Publishers get their own publications together with their replies.
        """
        self._flusher.batch_replies()

    def on_restored(self) -> None:
        """See `BrokerEvents`."""
        if self.on_broker_restored is not None:
            self.on_broker_restored()

    def on_subscription_revoked(self, channel: str) -> None:
        """Unsubscribe all subscribers of the channel; see `RevocationEvents`.

        They may subscribe again. Those still subscribing can only be informed by a disconnect.
        """
        live = self.channels.get(channel)
        if live is not None:
            live.subscribed = False
            self._end_insufficient(live.live_subscribers())
            subscribing = [one.session for one in live.ungrouped.values() if one.buffer is not None]
            self._disconnect_later(subscribing, DISCONNECT_INSUFFICIENT_STATE)

    # ------------------------------------------------------------------------------------------ one subscriber

    def send(self, subscriber: Subscriber, publication: Publication) -> None:
        """Send one publication to one subscriber, subject to its filter."""
        delivery = subscriber.delivery
        live = self.channels[subscriber.channel]
        if delivery.tags_filter is not None and not delivery.tags_filter.matches(publication.tags):
            live.metrics.filtered.value += 1
            return
        frames = PublicationFrames(publication, None, self._max_message)
        self._deliver_fresh(live, subscriber, frames)
        if delivery.delta:
            live.refresh(subscriber)
        if self._dirty:
            self._flusher.schedule()

    # ------------------------------------------------------------------------------------------ delivery

    def _deliver(self, members: Members, frame: Frame, flow: Flow) -> bool:
        """Append one frame to the outbox of each member (DESIGN rule 2).

        False when the members are disconnected instead.
        """
        if isinstance(frame, Disconnect):
            self._disconnect_later(members, frame)
            return False
        content, size = frame
        count = len(members)
        flow.count += count
        flow.size += count * size
        mark_dirty = self._dirty.append
        for session in members:
            outbox = session.outbox
            if outbox is None:
                session.outbox = [content]
                mark_dirty(session)
            else:
                outbox.append(content)
        return True

    def _frames_after_latest(self, live: LiveChannel, publication: Publication, use_delta: bool) -> PublicationFrames:
        """Frames with patches based on the publication last delivered on this node.

        From now on `publication` is the one last delivered (07 §21).
        """
        base, live.latest = live.latest if use_delta else None, publication
        return PublicationFrames(publication, base, self._max_message)

    def _deliver_delta(self, group: Group, flow: Flow, frames: PublicationFrames, *, has_base: bool) -> None:
        """Deliver in full to fresh members, a patch to ready ones.

        Then all are ready, or fresh where no patch can follow: outside the stream, or where a missing position or a
        filter makes the base uncertain (01 §10.3).
        """
        delivery, prefix = group.delivery, group.prefix
        if group.members and not has_base:
            group.reset_deltas()
        delivered = not group.members or self._deliver(group.members, frames.delta(delivery, prefix, fresh=False), flow)
        if delivered and group.fresh:
            delivered = self._deliver(group.fresh, frames.delta(delivery, prefix, fresh=True), flow)
            if delivered and has_base and delivery.tags_filter is None:
                group.mark_ready()

    def _accept(self, live: LiveChannel, publication: Publication, epoch: str, late: bool) -> bool:
        """Judge a publication of the stream once for all positioned subscribers (01 §8.6)."""
        accepted = None if late else live.accept(publication.offset, epoch)
        if accepted is None:
            self._end_insufficient(live.positioned_subscribers())
            return False
        if accepted:
            live.checked_at = monotonic()
        return accepted

    def _deliver_ungrouped(
        self, live: LiveChannel, publication: Publication, epoch: str, frames: PublicationFrames, late: bool
    ) -> None:
        for subscriber in list(live.ungrouped.values()):
            if subscriber.buffer is not None:
                self._buffer(subscriber, subscriber.buffer, publication, epoch)
            elif subscriber.in_hub and self._accept_ungrouped(live, subscriber, publication, epoch, late):
                delivery = subscriber.delivery
                if delivery.tags_filter is None or delivery.tags_filter.matches(publication.tags):
                    self._deliver_fresh(live, subscriber, frames)
                else:
                    live.metrics.filtered.value += 1
                if subscriber.in_hub:
                    live.go_live(subscriber, delta_ready=False, now=monotonic())

    def _deliver_fresh(self, live: LiveChannel, subscriber: Subscriber, frames: PublicationFrames) -> None:
        """Deliver a publication in full to one subscriber, independent of its group."""
        delivery = subscriber.delivery
        prefix = live.prefix(delivery)
        frame = frames.delta(delivery, prefix, fresh=True) if delivery.delta else frames.plain(delivery, prefix)
        self._deliver({subscriber.session: subscriber}, frame, live.metrics.sent(PUBLICATION, delivery.wire))

    def _buffer(self, subscriber: Subscriber, buffer: list[Publication], publication: Publication, epoch: str) -> None:
        """Buffer a publication for a subscribing session.

        While an engine hangs the buffer grows: beyond the outbox limit the session is disconnected, like any slow
        consumer.
        """
        if publication.offset and subscriber.delivery.positioned and subscriber.epoch != epoch:
            if subscriber.epoch:  # of a previous stream
                buffer[:] = [each for each in buffer if not each.offset]
            subscriber.epoch = epoch
        buffer.append(publication)
        subscriber.buffered += len(publication.data) + BUFFERED_OVERHEAD
        if subscriber.buffered > self._max_buffered:
            buffer.clear()
            subscriber.buffered = 0
            self._disconnect_later((subscriber.session,), DISCONNECT_SLOW)

    def _accept_ungrouped(
        self, live: LiveChannel, subscriber: Subscriber, publication: Publication, epoch: str, late: bool
    ) -> bool:
        """Apply the rules of `_accept` to a subscriber with its own position."""
        offset = publication.offset
        if not offset:
            return True
        other_stream = bool(subscriber.epoch) and subscriber.epoch != epoch
        if late or other_stream or offset > subscriber.offset + 1:
            self._end_insufficient([subscriber])
            return False
        subscriber.epoch = epoch
        if offset <= subscriber.offset:
            live.go_live(subscriber, delta_ready=False, now=monotonic())
            return False
        subscriber.offset = offset
        return True

    def _deliver_presence_event(self, channel: str, body: JoinPush | LeavePush, frame_type: str) -> None:
        live = self.channels.get(channel)
        if live is None or not live.count:
            return
        json_ok = info_is_json(body.info)
        if not json_ok:
            self._disconnect_json(live)
        frames: dict[object, Frame] = {}
        for members, holder in _join_leave_receivers(live):
            delivery = holder.delivery
            if not json_ok and delivery.wire.codec.pushes_json:
                continue
            flow = live.metrics.sent(frame_type, delivery.wire)
            key = (delivery.wire, delivery.compact)
            frame = frames.get(key)
            if frame is None:
                numeric_id = live.numeric_id if delivery.compact else 0
                message = delivery.wire.codec.push(channel, body, numeric_id)
                frame = frames[key] = delivery.wire.frame(message), delivery.wire.codec.size(message)
            self._deliver(members, frame, flow)
        if self._dirty:
            self._flusher.schedule()

    def _disconnect_json(self, live: LiveChannel) -> None:
        """Disconnect all JSON subscribers of the channel.

        This includes those without join and leave pushes (01 §2.2).
        """
        for group in live.groups.values():
            if group.delivery.wire.codec.pushes_json:
                self._disconnect_later((*group.members, *group.fresh), DISCONNECT_INAPPROPRIATE_PROTOCOL)
        sent_json = [
            session for session, subscriber in live.ungrouped.items() if subscriber.delivery.wire.codec.pushes_json
        ]
        self._disconnect_later(sent_json, DISCONNECT_INAPPROPRIATE_PROTOCOL)

    def _disconnect_later(self, sessions: Iterable[Session], disconnect: Disconnect) -> None:
        """Disconnect sessions to which a delivery failed."""
        self._to_disconnect += [(session, disconnect) for session in sessions]
        self._schedule_end()

    def _end_insufficient(self, subscribers: list[Subscriber]) -> None:
        """End subscriptions that have missed a publication."""
        self._insufficient += subscribers
        self._schedule_end()

    def _schedule_end(self) -> None:
        """Schedule the due ends and disconnects for the next turn of the event loop.

        Not immediately, since they change the groups, and a publisher among the subscribers gets its reply first.
        """
        if not self._end_scheduled:
            self._end_scheduled = True
            asyncio.get_running_loop().call_soon(self._end_all)

    def _end_all(self) -> None:
        self._end_scheduled = False
        to_disconnect, self._to_disconnect = self._to_disconnect, []
        insufficient, self._insufficient = self._insufficient, []
        for session, disconnect in to_disconnect:
            session.disconnect(disconnect)
        for subscriber in insufficient:
            subscriber.session.on_insufficient_state(subscriber)


def _join_leave_receivers(live: LiveChannel) -> list[tuple[Members, Group | Subscriber]]:
    """Members with join and leave pushes.

    Each comes with the object that holds their delivery.
    """
    found: list[tuple[Members, Group | Subscriber]] = []
    for group in live.groups.values():
        if group.delivery.push_join_leave:
            found += [(members, group) for members in (group.members, group.fresh) if members]
    found += [
        ({session: subscriber}, subscriber)
        for session, subscriber in live.ungrouped.items()
        if subscriber.buffer is None and subscriber.delivery.push_join_leave
    ]
    return found
