"""The stream of a channel: publications, position and expiry (07 §2.1, §3).

Uses no clock.
"""

from collections import deque
from itertools import islice
from typing import Final

from fanjet.engines.epoch import new_epoch
from fanjet.protocol.publication import Publication, StreamPosition

NEVER: Final = 2**63
_UINT64: Final = 2**64 - 1


class Stream:
    """The stored publications of a channel, with consecutive offsets.

    The last of them is `top`, unless all were removed.

    Times are Unix milliseconds; `NEVER` stands for no deadline.
    """

    __slots__ = ("_stored", "epoch", "expires_at", "meta_expires_at", "queued_for", "top", "version", "version_epoch")

    def __init__(self) -> None:
        self._stored: deque[Publication] = deque()
        self.epoch = new_epoch()
        self.top = 0
        self.version = 0
        self.version_epoch = ""
        self.expires_at = NEVER
        self.meta_expires_at = NEVER
        self.queued_for = NEVER

    @property
    def position(self) -> StreamPosition:
        """Top offset and epoch."""
        return StreamPosition(self.top, self.epoch)

    @property
    def newest(self) -> Publication | None:
        """The newest stored publication."""
        return self._stored[-1] if self._stored else None

    @property
    def deadline(self) -> int:
        """The time of the next expiry."""
        return min(self.expires_at, self.meta_expires_at)

    def is_stale(self, version: int, version_epoch: str) -> bool:
        """Whether a publication of this version is outdated (07 §2.3). Version 0 never is."""
        if version <= 0 or version > self.version:
            return False
        return not version_epoch or version_epoch == self.version_epoch

    def append(self, publication: Publication, size: int, version_epoch: str) -> None:
        """Store the publication with offset `top + 1`, and keep the newest `size`.

        Its version becomes the baseline of `is_stale`: a publication without a version resets it.
        """
        stored = self._stored
        if stored.maxlen != size:
            stored = self._stored = deque(stored, size)
        stored.append(publication)
        self.top = publication.offset
        self.version = publication.version
        self.version_epoch = version_epoch

    def clear(self) -> None:
        """Remove the stored publications; position and version baseline stay."""
        self._stored.clear()

    def read(self, since: StreamPosition | None, limit: int, *, reverse: bool) -> list[Publication]:
        """Publications after `since` or, in reverse, before it.

        Without `since`, from the oldest or, in reverse, from the newest. A negative limit means no limit.

        A forward read whose start is no longer stored begins at the oldest publication: the reader sees the gap by the
        offset. Epochs are not compared (07 §3.3).
        """
        start = self._start(since, reverse=reverse)
        if start is None or limit == 0:
            return []
        stop = None if limit < 0 else start + limit
        return list(islice(reversed(self._stored) if reverse else self._stored, start, stop))

    def _start(self, since: StreamPosition | None, *, reverse: bool) -> int | None:
        """The number of stored publications to skip in reading direction.

        None if there is nothing to read.
        """
        if since is None:
            return 0
        # Offsets are unsigned 64-bit numbers and wrap: the last one is followed by 0.
        offset = (since.offset + (-1 if reverse else 1)) & _UINT64
        if offset > self.top:
            return None
        if reverse:
            skip = self.top - offset
            return skip if skip < len(self._stored) else None
        return max(0, offset - (self.top - len(self._stored) + 1))
