"""The streams of all workers.

They are in the memory broker, which also stores the publications that workers have appended themselves.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from fanjet.engines.interfaces import BrokerEvents
from fanjet.engines.memory import MemoryBroker

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.engines.memory.stream import Stream

    from .messages import Published


class OffsetMismatch(Exception):  # noqa: N818 (says what is wrong)
    """The offset of a publication does not follow the newest one of its stream."""


class StreamOwner(BrokerEvents, Protocol):
    """The engine, which reads the publications of workers from the journal."""

    def sync(self) -> bool:
        """Store all of them; False if the journal is busy."""

    def revoke_slot(self, channel: str) -> bool:
        """Let no worker assign offsets in this channel any more.

        First stores all publications of workers; False if the journal is busy.
        """

    def on_stream_removed(self, channel: str) -> None:
        """A stream has been removed."""


class StreamStore(MemoryBroker):
    """See `MemoryBroker`. The caller has to `sync` before it reads a stream."""

    def __init__(self, owner: StreamOwner, *, clock: Callable[[], float] = time.time, history_meta_ttl: int) -> None:
        super().__init__(owner, clock=clock, history_meta_ttl=history_meta_ttl)
        self._owner = owner

    def store(self, event: Published) -> None:
        """Store a publication of a worker. Raises `OffsetMismatch`."""
        assert event.retention is not None
        publication = event.publication
        stream = self._streams.get(event.channel)
        if stream is None or stream.top + 1 != publication.offset:
            raise OffsetMismatch(f"publication {publication.offset} in {event.channel}")
        size, ttl, meta_ttl = event.retention
        now = publication.time
        self._touch(event.channel, now, meta_ttl)
        stream.expires_at = now + ttl * 1000
        self._expiry.watch(event.channel, stream)
        stream.append(publication, size, "")

    def sweep(self) -> None:
        """See `MemoryBroker.sweep`."""
        if self._owner.sync():  # which may prolong streams that would expire
            super().sweep()

    def _remove_expired(self, channel: str, stream: Stream, now: int) -> None:
        if not self._owner.revoke_slot(channel):
            stream.meta_expires_at = now + 1  # retried with the next sweep
        if stream.meta_expires_at <= now:
            super()._remove_expired(channel, stream, now)
            self._owner.on_stream_removed(channel)
        else:
            self._expiry.watch(channel, stream)
