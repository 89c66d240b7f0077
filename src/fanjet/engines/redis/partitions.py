"""Sharded PUB/SUB: channels are shared out among partitions, each in one slot of the cluster (07 §22.4)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .address import Address
    from .cluster import ClusterShard
    from .connection import Command

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
    """What a connection that listens needs to know of its partition, seen as an installation of its own."""

    def __init__(self, shard: ClusterShard, tag: str) -> None:
        self.target = shard.target
        self._shard = shard
        self._key = f"{{{tag}}}"
        self._found = False

    async def listening_address(self) -> Address:
        """The node that has the partition's slot. Looks for it anew after the first time: the slot may have moved."""
        if self._found:
            await self._shard.look_again()
        self._found = True
        return self._shard.owner_of(self._key)

    def execute(self, command: Command, key: bytes | str) -> Awaitable[Any]:
        """See `Shard.execute`."""
        return self._shard.execute(command, key)

    def follow(self, leave: Callable[[str], None]) -> None:
        """See `Shard.follow`. A node tells its listeners when a slot leaves it."""
