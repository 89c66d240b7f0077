"""Writes the outboxes of sessions that got something to send (DESIGN rule 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from .session import Session

WRITES_PER_SLICE = 200
"""About 1 ms of `send()` calls; then other connections' input is looked at."""


class Flusher:
    """Remembers dirty sessions and writes each once per turn of the loop, in slices.

    The busier the server, the longer a session waits for its turn and the more frames one write carries. Whoever
    appends to an outbox that was None adds the session to `dirty` and calls `schedule()` once per batch.
    """

    __slots__ = ("_call", "_scheduled", "dirty")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.dirty: list[Session] = []
        self._call = loop.call_soon
        self._scheduled = False

    def schedule(self) -> None:
        """Make sure that the dirty sessions are written soon."""
        if not self._scheduled:
            self._scheduled = True
            self._call(self._write_slice)

    def _write_slice(self) -> None:
        dirty = self.dirty
        if len(dirty) > WRITES_PER_SLICE:
            batch = dirty[:WRITES_PER_SLICE]
            del dirty[:WRITES_PER_SLICE]
            self._call(self._write_slice)
        else:
            batch = dirty
            self.dirty = []
            self._scheduled = False
        for session in batch:
            session.flush()
