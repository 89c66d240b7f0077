"""Results of publishes with an idempotency key, kept so that a repeat changes nothing (07 §2.3, 05 §7.1)."""

from typing import Final

from fanjet.protocol.publication import StreamPosition

RESULT_TTL_MS: Final = 300_000


class IdempotencyCache:
    """Positions by channel and key. A repeat does not prolong them.

    All live equally long, and a dict keeps insertion order, so the oldest come first and no queue is needed beside it.
    """

    __slots__ = ("_results",)

    def __init__(self) -> None:
        self._results: dict[tuple[str, str], tuple[int, StreamPosition]] = {}

    def __len__(self) -> int:
        return len(self._results)

    def find(self, channel: str, key: str, now: int) -> StreamPosition | None:
        """The position that an earlier publish with this key got."""
        result = self._results.get((channel, key))
        return result[1] if result is not None and result[0] > now else None

    def store(self, channel: str, key: str, position: StreamPosition, now: int) -> None:
        """Remember the position for 300 s."""
        self._results.pop((channel, key), None)  # an expired one would keep its old place
        self._results[channel, key] = (now + RESULT_TTL_MS, position)

    def sweep(self, now: int) -> None:
        """Forget what has expired."""
        expired = []
        for key, (expires_at, _) in self._results.items():
            if expires_at > now:
                break
            expired.append(key)
        for key in expired:
            del self._results[key]
