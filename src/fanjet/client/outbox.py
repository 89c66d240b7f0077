"""The write queue of a session, with a backlog for slow clients.

See DESIGN rules 3 and 5.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanjet.node.flusher import Flusher

    from .transport import Transport

MESSAGES_PER_WRITE = 16
BYTES_PER_WRITE = 64 * 1024


class Outbox:
    """Frames of one session on their way to its transport.

    `outbox` is None, or the frames since the last flush; it is an empty list while the session runs commands. Frames
    that the transport does not take go to a backlog whose size is counted; a session that is not blocked has none.
    """

    __slots__ = ("_backlog", "_backlog_size", "_blocked", "_flusher", "outbox", "transport")

    def __init__(self, flusher: Flusher, transport: Transport) -> None:
        self.outbox: list[bytes] | None = None
        self.transport = transport
        self._flusher = flusher
        self._blocked = False
        self._backlog: deque[bytes] | None = None
        self._backlog_size = 0

    def send(self, frame: bytes) -> None:
        """Queue a frame, to be written by the next flush."""
        if self.outbox is None:
            self.outbox = [frame]
            self._flusher.dirty.append(self)  # type: ignore[arg-type]  # every Outbox is a Session
            self._flusher.schedule()
        else:
            self.outbox.append(frame)

    def cork(self) -> None:
        """Collect frames until `uncork`, which the caller guarantees to call.

        The flusher need not be informed.
        """
        if self.outbox is None:
            self.outbox = []

    def uncork(self) -> None:
        """Write collected frames in this turn of the event loop.

        They are written ahead of other sessions' publications.
        """
        if self.outbox:
            self._flusher.flush_reply(self)  # type: ignore[arg-type]
        else:
            self.outbox = None

    def uncork_later(self) -> None:
        """Like `uncork`, at the end of this turn, for a reply completed by the broker.

        More replies may follow, and the publisher's own publication arrives about now and goes into the same write.
        """
        if self.outbox:
            self._flusher.flush_reply_later(self)  # type: ignore[arg-type]
        else:
            self.outbox = None

    def flush(self) -> None:
        """Write the outbox, or add it to the backlog of a slow client."""
        frames = self.outbox
        self.outbox = None
        if not frames:
            return
        if self._blocked or (len(frames) > MESSAGES_PER_WRITE and sum(map(len, frames)) > BYTES_PER_WRITE):
            self._queue(frames)
        else:
            self.transport.write(b"".join(frames))  # a single frame is not copied

    def write_everything(self) -> None:
        """Hand all queued frames to the transport, blocked or not.

        The connection is about to be closed.
        """
        frames = [*(self._backlog or ()), *(self.outbox or ())]
        self.discard_everything()
        if frames:
            self.transport.write(b"".join(frames))

    def discard_everything(self) -> None:
        """Drop all queued frames."""
        self.outbox = None
        self._backlog = None
        self._backlog_size = 0

    def set_blocked(self) -> None:
        """The transport did not take everything."""
        self._blocked = True

    def set_writable(self) -> None:
        """The transport has taken everything: continue with the backlog."""
        self._blocked = False
        self._drain()

    @property
    def is_blocked(self) -> bool:
        """Whether the transport waits for a slow client."""
        return self._blocked

    @property
    def backlog_size(self) -> int:
        """Bytes queued for a slow client."""
        return self._backlog_size

    def _queue(self, frames: list[bytes]) -> None:
        if self._backlog is None:
            self._backlog = deque()
        self._backlog.extend(frames)
        self._backlog_size += sum(map(len, frames))
        if not self._blocked:
            self._drain()
        if self._backlog_size:
            self.on_backlog()

    def on_backlog(self) -> None:
        """A slow client's backlog has grown."""

    def _drain(self) -> None:
        """Write the backlog in pieces while the transport takes them.

        Thus each write has its own timeout.
        """
        backlog = self._backlog
        while backlog and not self._blocked:
            piece: list[bytes] = []
            size = 0
            while backlog and (len(piece) < MESSAGES_PER_WRITE or size < BYTES_PER_WRITE):
                frame = backlog.popleft()
                piece.append(frame)
                size += len(frame)
            self._backlog_size -= size
            self.transport.write(piece[0] if len(piece) == 1 else b"".join(piece))
        if not backlog:
            self._backlog = None
