"""A cache of results of publishes with an idempotency key (07 §2.3, 05 §7.1)."""

from typing import Final

from fanjet.protocol.publication import StreamPosition

RESULT_TTL_MS: Final = 300_000


class IdempotencyCache:
    """Stream positions by channel and key.

    A repeated publish does not extend their lifetime.

    All entries have the same lifetime and a dict keeps insertion order, so the oldest come first without a queue.
    """

    __slots__ = ("_results",)

    def __init__(self) -> None:
        self._results: dict[tuple[str, str], tuple[int, StreamPosition]] = {}

    def __len__(self) -> int:
        return len(self._results)

    def find(self, channel: str, key: str, now: int) -> StreamPosition | None:
        """The position of an earlier publish with this key."""
        result = self._results.get((channel, key))
        return result[1] if result is not None and result[0] > now else None

    def store(self, channel: str, key: str, position: StreamPosition, now: int) -> None:
        """Store the position for 300 s."""
        self._results.pop((channel, key), None)  # an expired entry would keep its place in the order
        self._results[channel, key] = (now + RESULT_TTL_MS, position)

    def sweep(self, now: int) -> None:
        """Remove expired entries."""
        expired = []
        for key, (expires_at, _) in self._results.items():
            if expires_at > now:
                break
            expired.append(key)
        for key in expired:
            del self._results[key]
