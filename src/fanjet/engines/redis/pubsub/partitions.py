"""Partitions of sharded PUB/SUB, each in one slot of the cluster (07 §22.4)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..topology.cluster import ClusterShard
    from ..topology.endpoints import Endpoints

_TABLE: Final = Path(__file__).with_name("partition_tags.txt")


def partition_tags(count: int, *, precomputed: bool) -> tuple[str, ...]:
    """Hash tags of `count` partitions.

    Their numbers or, if `precomputed`, words whose slots are spread evenly over a cluster of any size. Raises
    `KeyError` for a count without precomputed tags.
    """
    if not count:
        return ()
    return precomputed_tags()[count] if precomputed else tuple(map(str, range(count)))


@cache
def precomputed_tags() -> dict[int, tuple[str, ...]]:
    """Precomputed tags by number of partitions.

    They equal Centrifugo's: all nodes of a cluster must agree.
    """
    tables = (line.split() for line in _TABLE.read_text("ascii").splitlines())
    return {len(words): tuple(words) for words in tables}


class Partition:
    """A partition as an `EndpointProvider` of its own."""

    def __init__(self, shard: ClusterShard, tag: str) -> None:
        self.target = shard.target
        self.replica_login = shard.replica_login
        self.execute = shard.execute
        self.watch_endpoints = shard.watch_endpoints
        self._shard = shard
        self._key = f"{{{tag}}}"
        self._found = False

    @property
    def endpoints(self) -> Endpoints:
        """See `EndpointProvider.endpoints`."""
        return self._shard.endpoints_of(self._key)

    async def find_endpoints(self) -> Endpoints:
        """See `EndpointProvider.find_endpoints`.

        Calls after the first refresh the topology, because the slot may have moved.
        """
        if self._found:
            await self._shard.refresh_topology()
        self._found = True
        return self.endpoints

    def watch_primary(self, on_changed: Callable[[str], None]) -> None:
        """See `EndpointProvider.watch_primary`.

        Never called: a node ends the subscriptions when a slot leaves it.
        """
