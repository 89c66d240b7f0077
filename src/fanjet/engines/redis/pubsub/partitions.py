"""Sharded PUB/SUB: channels are shared out among partitions, each in one slot of the cluster (07 §22.4)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..topology.cluster import ClusterShard
    from .connectors import Places

_TABLE: Final = Path(__file__).with_name("partition_tags.txt")


def tags(count: int, *, precomputed: bool) -> tuple[str, ...]:
    """The hash tags of so many partitions: their numbers, or, `precomputed`, words whose slots are spread evenly over
    a cluster of any size. There are such words only for some counts. Raises `KeyError` for others."""
    if not count:
        return ()
    return precomputed_tags()[count] if precomputed else tuple(map(str, range(count)))


@cache
def precomputed_tags() -> dict[int, tuple[str, ...]]:
    """Words by the number of partitions. All nodes of a cluster, Centrifugo's too, have to use the same."""
    tables = (line.split() for line in _TABLE.read_text("ascii").splitlines())
    return {len(words): tuple(words) for words in tables}


class Partition:
    """A partition, seen as an installation of its own: see `Place`."""

    def __init__(self, shard: ClusterShard, tag: str) -> None:
        self.target = shard.target
        self.replica_login = shard.replica_login
        self.execute = shard.execute
        self.watch = shard.watch
        self._shard = shard
        self._key = f"{{{tag}}}"
        self._found = False

    @property
    def places(self) -> Places:
        """See `Place.places`."""
        return self._shard.places_of(self._key)

    async def find_places(self) -> Places:
        """See `Place.find_places`. Looks after the first time: the slot may have moved."""
        if self._found:
            await self._shard.look_again()
        self._found = True
        return self.places

    def follow(self, leave: Callable[[str], None]) -> None:
        """See `Place.follow`. A node tells its listeners when a slot leaves it."""
