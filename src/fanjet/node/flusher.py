"""Writes the outboxes of sessions that got something to send (DESIGN rule 3)."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from .session import Session

SLICE_SECONDS = 0.0005
"""Then other connections' input is looked at: about 75 `send()` calls. By the clock, since they cost 5 to 9 µs. A look
costs 3 µs; computing a large patch takes up to 1.5 ms, and a command should not wait for a long slice on top."""
WRITES_PER_CLOCK_READ = 25
"""Sessions that are written between two looks at the clock."""
MIN_BATCHED_REPLIES = 16
"""Answers in one turn from which on it costs less to write them together: half a µs each less where they are 32, but
1.5 more where they are four, as clients and server then wait for each other."""
IMMEDIATE_REPLIES = 31
"""Answers that are written at once after a turn that had fewer."""
MIN_HOT_WAIT = 0.001
"""Seconds between two writes to an audience that is hot, as short as the loop's timers are."""
MAX_HOT_WAIT = 0.002
HOT_WAIT_FACTOR = 4
"""Times as long as it took to write to an audience, it waits while it is hot, within these bounds."""
HOT_AFTER = 16
"""Times in a row that an audience gets something before it would have waited for so long, until it is hot."""


class Flusher:
    """Remembers dirty sessions and writes each once per turn of the loop, in slices.

    The busier the server, the longer a session waits for its turn and the more frames one write carries. Whoever
    appends to an outbox that was None adds the session to `dirty` and calls `schedule()` once per batch.

    An audience that gets something again and again within a millisecond or two is hot: it gets together what comes in
    such a time, since a frame more in a write costs next to nothing, and a write 4 µs. That it is the same audience is
    told by the session that comes first; that it is worth waiting, by what has gathered for that session.

    Answers to a session's own commands go first. While many clients send, all that one look at their sockets brings is
    carried out before the answers are written, one after the other: who waits for them is woken once for many and not
    for each, and waking is a quarter of what a `send()` costs.
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
        """Identity of its first session. It is not held; whoever gets the same one may lose a millisecond or two."""
        self._next_at = 0.0
        """Before that it gets something early."""
        self._early = 0
        """How often it has, one after the other."""
        self._wait = MIN_HOT_WAIT
        """Of the audience that was written last, if it is hot."""
        self._round_left = 0
        """Sessions at the head of `dirty` that are being written: who gets more meanwhile comes again behind them."""
        self._written_seconds = 0.0
        """What they have taken."""

    def flush_reply(self, session: Session) -> None:
        """Write what the session holds in this turn of the loop: at its end while many are answered in one, which is
        tried anew now and then, else at once."""
        if self._immediate_left:
            self._immediate_left -= 1
            session.flush()
        else:
            self.flush_reply_later(session)

    def batch_replies(self) -> None:
        """Write answers at the end of this turn, when there is more for those who get them."""
        self._immediate_left = 0

    def flush_reply_later(self, session: Session) -> None:
        """Write what the session holds at the end of this turn of the loop."""
        if not self._replied:
            self._call(self._write_replies)
        self._replied.append(session)

    def schedule(self) -> None:
        """Make sure that the dirty sessions are written soon."""
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
            left = list(batch)  # where one could not be written: else nobody would write those behind it, ever
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
