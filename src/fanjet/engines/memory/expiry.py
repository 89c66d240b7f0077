"""A queue of stream deadlines: a heap with lazy re-insertion (07 §3.2)."""

from collections.abc import Iterator
from heapq import heappop, heappush

from .stream import NEVER, Stream


class ExpiryQueue:
    """Channels ordered by the deadline of their stream.

    A publication nearly always postpones its stream's deadline. That costs one comparison: the queued entry stays, and
    is re-inserted with the right deadline when it comes up.
    """

    __slots__ = ("_heap", "_streams")

    def __init__(self, streams: dict[str, Stream]) -> None:
        self._streams = streams
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def watch(self, channel: str, stream: Stream) -> None:
        """Update the queue after the stream's deadline was set."""
        deadline = stream.deadline
        if deadline < stream.queued_for:
            stream.queued_for = deadline
            heappush(self._heap, (deadline, channel))

    def due(self, now: int) -> Iterator[tuple[str, Stream]]:
        """Remove and return due streams.

        The caller expires their data and calls `watch` again.
        """
        heap = self._heap
        while heap and heap[0][0] <= now:
            queued_for, channel = heappop(heap)
            stream = self._streams.get(channel)
            if stream is None or stream.queued_for != queued_for:
                continue  # the stream was deleted, or an earlier deadline superseded this entry
            stream.queued_for = NEVER
            if stream.deadline <= now:
                yield channel, stream
            else:
                self.watch(channel, stream)
