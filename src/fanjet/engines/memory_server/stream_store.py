"""The streams of all workers: the memory engine, which also keeps what workers have published without asking."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from fanjet.engines.interfaces import BrokerEvents
from fanjet.engines.memory import MemoryBroker

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.engines.memory.stream import Stream

    from .messages import Published


class OutOfStep(Exception):  # noqa: N818 (says how it is)
    """A publication does not follow the one before it in its stream."""


class Custodian(BrokerEvents, Protocol):
    """Knows what workers have published."""

    def keep_up(self) -> bool:
        """Have all of it kept; False if that has to wait."""

    def withdraw(self, channel: str) -> bool:
        """The same, and from now on no worker publishes in this channel without asking; False if that has to wait."""

    def forget_stream(self, channel: str) -> None:
        """It is gone."""


class SharedStreams(MemoryBroker):
    """See `MemoryBroker`. What the stream of a channel has to be up to date for, its caller sees to."""

    def __init__(self, custodian: Custodian, *, clock: Callable[[], float] = time.time, history_meta_ttl: int) -> None:
        super().__init__(custodian, clock=clock, history_meta_ttl=history_meta_ttl)
        self._custodian = custodian

    def keep(self, event: Published) -> None:
        """A worker has published this. Raises `OutOfStep`."""
        assert event.keep is not None
        publication = event.publication
        stream = self._streams.get(event.channel)
        if stream is None or stream.top + 1 != publication.offset:
            raise OutOfStep(f"publication {publication.offset} in {event.channel}")
        size, ttl, meta_ttl = event.keep
        now = publication.time
        self._touch(event.channel, now, meta_ttl)
        stream.expires_at = now + ttl * 1000
        self._expiry.watch(event.channel, stream)
        stream.append(publication, size, "")

    def sweep(self) -> None:
        """See `MemoryBroker.sweep`."""
        if self._custodian.keep_up():  # which may prolong what would expire
            super().sweep()

    def _drop(self, channel: str, stream: Stream, now: int) -> None:
        if not self._custodian.withdraw(channel):
            stream.meta_expires_at = now + 1  # to be looked at with the next sweep
        if stream.meta_expires_at <= now:
            super()._drop(channel, stream, now)
            self._custodian.forget_stream(channel)
        else:
            self._expiry.watch(channel, stream)
