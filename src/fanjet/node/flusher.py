"""Writes the outboxes of sessions with queued frames (DESIGN rule 3)."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from .session import Session

SLICE_SECONDS = 0.0005
"""Then the event loop handles input: about 75 `send()` calls. Measured by the clock, since a call takes 5 to 9 µs.
Polling sockets costs 3 µs; computing a large patch takes up to 1.5 ms, and a command should not wait for a long slice
on top."""
WRITES_PER_CLOCK_READ = 25
"""Sessions written between two reads of the clock."""
MIN_BATCHED_REPLIES = 16
"""Replies per turn from which batching is cheaper: it saves half a µs each with 32 of them, but costs 1.5 with four, as
clients and server then wait for each other."""
IMMEDIATE_REPLIES = 31
"""Replies written immediately after a turn with fewer than `MIN_BATCHED_REPLIES`."""
MIN_HOT_WAIT = 0.001
"""Seconds between two writes to a hot audience, as short as the event loop's timers are."""
MAX_HOT_WAIT = 0.002
HOT_WAIT_FACTOR = 4
"""A hot audience waits this multiple of the time it took to write to it, within these bounds."""
HOT_AFTER = 16
"""Consecutive early rounds after which an audience is hot."""


class Flusher:
    """Writes each dirty session once per turn of the event loop, in slices.

    The busier the server, the longer a session waits for its turn and the more frames one write contains. A caller that
    appends to an outbox that was None adds the session to `dirty` and calls `schedule()` once per batch.

    An audience, the sessions of one round, is hot when it repeatedly gets frames within a millisecond or two: frames of
    such a period are written together, since another frame in a write costs next to nothing, and a write 4 µs. An
    audience is identified by its first session, and waiting pays off if frames have accumulated for that session.

    Replies to a session's own commands are written first. While many clients send, all commands from one poll of the
    sockets run before their replies are written together: clients are woken once for many replies, and waking is a
    quarter of the cost of a `send()`.
    """

    __slots__ = (
        "_audience",
        "_call",
        "_call_later",
        "_early",
        "_immediate_left",
        "_next_at",
        "_replied",
        "_round_left",
        "_scheduled",
        "_wait",
        "_written_seconds",
        "dirty",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.dirty: list[Session] = []
        self._replied: list[Session] = []
        self._immediate_left = IMMEDIATE_REPLIES
        self._call = loop.call_soon
        self._call_later = loop.call_later
        self._scheduled = False
        self._audience = 0
        """`id()` of its first session. No reference is held; another session with the same id may wait a millisecond or
        two."""
        self._next_at = 0.0
        """Frames before this time are early."""
        self._early = 0
        """Consecutive early rounds."""
        self._wait = MIN_HOT_WAIT
        """Wait of the audience written last, if it is hot."""
        self._round_left = 0
        """Sessions at the head of `dirty` left to write in this round; later ones follow in the next round."""
        self._written_seconds = 0.0
        """Seconds spent on writing this round."""

    def flush_reply(self, session: Session) -> None:
        """Write the session's outbox in this turn of the event loop.

        At its end while many replies are batched, otherwise immediately. Immediate writing is retried now and then.
        """
        if self._immediate_left:
            self._immediate_left -= 1
            session.flush()
        else:
            self.flush_reply_later(session)

    def batch_replies(self) -> None:
        """Write replies at the end of this turn.

        Called when publications for the same sessions are about to arrive.
        """
        self._immediate_left = 0

    def flush_reply_later(self, session: Session) -> None:
        """Write the session's outbox at the end of this turn of the event loop."""
        if not self._replied:
            self._call(self._write_replies)
        self._replied.append(session)

    def schedule(self) -> None:
        """Schedule a round for the dirty sessions."""
        if not self._scheduled:
            self._scheduled = True
            self._call(self._begin)

    def _write_replies(self) -> None:
        replied, self._replied = self._replied, []
        if len(replied) < MIN_BATCHED_REPLIES:
            self._immediate_left = IMMEDIATE_REPLIES
        done = 0
        try:
            for session in replied:
                done += 1
                session.flush()
        finally:
            if done < len(replied):
                for session in replied[done:]:
                    self.flush_reply(session)

    def _begin(self) -> None:
        audience = id(self.dirty[0])
        if audience != self._audience:
            self._early = 0
        elif perf_counter() < self._next_at:
            self._early += 1
            if self._early > HOT_AFTER:
                self._call_later(self._wait, self._begin_hot)
                return
        else:
            self._early = 0
        self._write_round(audience)

    def _begin_hot(self) -> None:
        first = self.dirty[0]
        if first.outbox is None or len(first.outbox) < 2:
            self._early = 0
        self._write_round(id(first))

    def _write_round(self, audience: int) -> None:
        self._audience = audience
        self._round_left = len(self.dirty)
        self._written_seconds = 0.0
        self._write_slice()

    def _write_slice(self) -> None:
        dirty, round_left = self.dirty, self._round_left
        started = now = perf_counter()
        until = started + SLICE_SECONDS
        done = 0
        batch: Iterator[Session] = iter(())
        try:
            while done < round_left:
                sessions = dirty[done : min(done + WRITES_PER_CLOCK_READ, round_left)]
                done += len(sessions)
                batch = iter(sessions)
                for session in batch:
                    session.flush()
                now = perf_counter()
                if now >= until:
                    break
        finally:
            left = list(batch)  # after an exception: the remaining sessions must still be written
            dirty[:done] = left
            self._round_left = round_left - done + len(left)
            self._written_seconds += now - started
            if self._round_left:
                self._call(self._write_slice)
            else:
                self._wait = min(max(MIN_HOT_WAIT, HOT_WAIT_FACTOR * self._written_seconds), MAX_HOT_WAIT)
                self._next_at = now + self._wait
                self._scheduled = bool(dirty)
                if dirty:
                    self._call(self._begin)
