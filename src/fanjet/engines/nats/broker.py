"""The NATS broker: at most once, without history (07 §15.3)."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn

from google.protobuf.message import DecodeError
from msgspec.structs import replace

from fanjet.engines.interfaces import History, HistoryNotAvailable, Published, PublishOptions
from fanjet.engines.proto import broker_pb2 as pb
from fanjet.engines.records import info_of, info_record, publication_record, received_of
from fanjet.protocol.codes import ERROR_BAD_REQUEST, ReplyError
from fanjet.protocol.publication import Publication, StreamPosition
from fanjet.telemetry.logging import get_logger

from .subjects import PrefixedSubjects, RawSubjects, Subjects, has_wildcard

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.config.tree.broker import BrokerNats
    from fanjet.engines.interfaces import RevocationEvents
    from fanjet.protocol.publication import ClientInfo

    from .connection import NatsConnection

log = get_logger(__name__)

_DONE: Final = Published()
_EPOCH_TAG: Final = "__centrifugo_epoch"
"""The tag with the epoch of a publication whose stream is in another broker (07 §16)."""


class NatsBroker:
    """Delivers publications, joins and leaves.

    History calls raise `HistoryNotAvailable`.

    With wildcards a channel may be a pattern: its subscribers get the publications of all matching channels, each with
    the name of its channel. In raw mode publications always carry the subject.
    """

    keeps_history = False
    delivers_reliably = False

    def __init__(self, connection: NatsConnection, config: BrokerNats, events: RevocationEvents) -> None:
        self._connection = connection
        self._events = events
        self._allow_wildcards = config.allow_wildcards
        raw = config.raw_mode
        self._adds_channel = config.allow_wildcards or raw.enabled
        self.is_raw = raw.enabled
        """Whether messages contain data only."""
        self._subjects: Subjects = (
            RawSubjects(raw.prefix, raw.channel_replacements) if raw.enabled else PrefixedSubjects(config.prefix)
        )

    def set_on_restored(self, callback: Callable[[], None]) -> None:
        """Call `callback` when messages arrive again after a loss.

        Useful only with a history in another broker.
        """
        self._connection.on_restored = callback

    @property
    def outage(self) -> str:
        """See `RemoteEngine`."""
        return self._connection.outage

    @property
    def silence(self) -> float:
        """See `ProbedEngine`."""
        return self._connection.silence

    async def start(self) -> None:
        """See `Broker.start`."""
        await self._connection.start()

    async def close(self) -> None:
        """See `Broker.close`."""
        await self._connection.close()

    async def subscribe(self, channel: str) -> None:
        """See `Broker.subscribe`.

        Raises error 107 for a pattern where wildcards are not allowed.
        """
        if has_wildcard(channel) and not self._allow_wildcards:
            raise ReplyError(ERROR_BAD_REQUEST)
        receive = self._receive_raw if self.is_raw else self._receive
        await self._connection.subscribe(
            self._subjects.subject(channel),
            partial(receive, channel),
            partial(self._events.on_subscription_revoked, channel),
        )

    async def unsubscribe(self, channel: str) -> None:
        """See `Broker.unsubscribe`."""
        await self._connection.unsubscribe(self._subjects.subject(channel))

    async def publish(self, channel: str, data: bytes, options: PublishOptions) -> Published:
        """See `Broker.publish`.

        Supports no history, idempotency keys or versions. Raises error 107 for a pattern.
        """
        if has_wildcard(channel):
            raise ReplyError(ERROR_BAD_REQUEST)
        if self.is_raw:
            payload = data
        else:
            record = publication_record(data, options, int(time.time() * 1000))
            record.delta = options.use_delta
            record.ClearField("version")
            payload = pb.Push(channel=channel, pub=record).SerializeToString()
        await self._connection.publish(self._subjects.subject(channel), payload)
        return _DONE

    async def deliver(self, channel: str, data: bytes, options: PublishOptions, position: StreamPosition) -> None:
        """Deliver a publication that is already in a stream at `position`.

        Does nothing in raw mode, whose messages have no position.
        """
        if self.is_raw:
            return
        record = publication_record(data, options, 0)
        record.delta = options.use_delta
        record.offset = position.offset
        record.tags[_EPOCH_TAG] = position.epoch
        record.ClearField("version")
        await self._connection.publish(
            self._subjects.subject(channel), pb.Push(channel=channel, pub=record).SerializeToString()
        )

    async def publish_join(self, channel: str, info: ClientInfo) -> None:
        """See `Broker.publish_join`. Does nothing in raw mode."""
        if not self.is_raw:
            push = pb.Push(channel=channel, join=pb.Join(info=info_record(info)))
            await self._connection.publish(self._subjects.subject(channel), push.SerializeToString())

    async def publish_leave(self, channel: str, info: ClientInfo) -> None:
        """See `Broker.publish_leave`. Does nothing in raw mode."""
        if not self.is_raw:
            push = pb.Push(channel=channel, leave=pb.Leave(info=info_record(info)))
            await self._connection.publish(self._subjects.subject(channel), push.SerializeToString())

    async def history(
        self,
        channel: str,
        *,
        since: StreamPosition | None = None,
        limit: int = -1,
        reverse: bool = False,
        meta_ttl: int = 0,
    ) -> History:
        """Not available."""
        _raise_no_history()

    async def remove_history(self, channel: str) -> None:
        """Not available."""
        _raise_no_history()

    def _receive(self, subscribed: str, subject: str, payload: bytes) -> None:
        try:
            push = pb.Push.FromString(payload)
        except DecodeError as error:
            log.error("error decoding message from NATS", subject=subject, error=error)
            return
        channel = push.channel
        if push.HasField("pub"):
            epoch = push.pub.tags.pop(_EPOCH_TAG, "")
            received = received_of(push.pub, epoch=epoch)
            self._report(subscribed, channel, received.publication, epoch, use_delta=received.use_delta)
        elif push.HasField("join"):
            self._events.on_join(channel, info_of(push.join.info))
        elif push.HasField("leave"):
            self._events.on_leave(channel, info_of(push.leave.info))
        else:
            log.warn("unknown message from NATS", subject=subject)

    def _receive_raw(self, subscribed: str, subject: str, payload: bytes) -> None:
        self._report(subscribed, self._subjects.channel(subject), Publication(payload), "", use_delta=False)

    def _report(self, subscribed: str, channel: str, publication: Publication, epoch: str, *, use_delta: bool) -> None:
        if self._adds_channel:
            publication = replace(publication, channel=channel)
        self._events.on_publication(subscribed, publication, epoch, use_delta=use_delta, previous=None)


def _raise_no_history() -> NoReturn:
    raise HistoryNotAvailable
