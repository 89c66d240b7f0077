"""How a broker hears what is published on its shards (07 §8, §22.3, §22.4)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from msgspec import Struct

from ..sharding import place
from .connectors import AtPrimary, AtReplica
from .group import Ear
from .partition_groups import Grouping
from .partitions import Partition
from .supervisor import PROBE_SECONDS, Listener, outages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..keys import NodeNames
    from ..topology.cluster import ClusterShard
    from ..topology.shard import Shard
    from .connectors import Place
    from .supervisor import Hearer, Source

_PURPOSE = "messages"


class HearingOptions(Struct, frozen=True):
    """`tags`: those of the partitions of sharded PUB/SUB, which only a cluster has. `by_node`: partitions on one Redis
    server share a connection. `at_replicas`: the primaries have less to send."""

    tags: Sequence[str] = ()
    by_node: bool = False
    at_replicas: bool = False
    probe_seconds: float = PROBE_SECONDS


class Hearing:
    """The ears of all shards, and who keeps them hearing. `take` gets name and payload of each message."""

    def __init__(
        self,
        options: HearingOptions,
        names: NodeNames,
        take: Callable[[bytes, bytes], None],
        on_restored: Callable[[], None],
        count_error: Callable[[str], None],
    ) -> None:
        """`on_restored`, `count_error`: see `Listener`."""
        self._options = options
        self._names = names
        self._take = take
        self._on_restored = on_restored
        self._count_error = count_error
        self._ears: list[list[Ear]] = []
        self._hearers: list[Hearer] = []

    async def start(self, shards: Iterable[Shard]) -> None:
        """Begin; returns after the first attempt with each, whatever came of it."""
        for shard in shards:
            self._add(shard)
        await asyncio.gather(*(hearer.start() for hearer in self._hearers))

    async def close(self) -> None:
        """Hear no more."""
        await asyncio.gather(*(hearer.close() for hearer in self._hearers))

    def ear(self, shard: int, channel: str) -> Ear:
        """Who hears a channel, which is on the shard with this number."""
        ears = self._ears[shard]
        return ears[place(channel, len(ears))] if len(ears) > 1 else ears[0]

    @property
    def outage(self) -> str:
        """What is not heard now, empty while all is well."""
        return outages_of(self._hearers)

    @property
    def silence(self) -> float:
        """Seconds since the part that was heard least lately was heard; see `Listener.silence`."""
        return max((hearer.silence for hearer in self._hearers), default=0.0)

    def _add(self, shard: Shard) -> None:
        options, names = self._options, self._names
        if not options.tags:
            ears = [Ear([names.service], names.probe)]
            self._hearers.append(self._listener(self._source(shard), ears))
        else:
            cluster = cast("ClusterShard", shard)
            ears = [Ear([names.service_of(tag)], names.probe_of(tag)) for tag in options.tags]
            if options.by_node:
                at_replicas = options.at_replicas
                self._hearers.append(Grouping(cluster, _PURPOSE, ears, self._shared_listener, at_replicas=at_replicas))
            else:
                sources = (self._source(Partition(cluster, tag)) for tag in options.tags)
                pairs = zip(sources, ears, strict=True)
                self._hearers += [self._listener(source, [ear]) for source, ear in pairs]
        self._ears.append(ears)

    def _source(self, where: Place) -> Source:
        return AtReplica(where) if self._options.at_replicas else AtPrimary(where)

    def _shared_listener(self, source: Source, on_moved: Callable[[Ear], None]) -> Listener:
        return self._listener(source, (), on_moved)

    def _listener(self, source: Source, ears: Iterable[Ear], on_moved: Callable[[Ear], None] | None = None) -> Listener:
        def count(error: str) -> None:
            self._count_error("subscribe_shard_channel" if error == "subscribe" else error)

        return Listener(
            source,
            _PURPOSE,
            ears,
            self._take,
            count_error=count,
            on_restored=self._on_restored,
            on_moved=on_moved,
            sharded=bool(self._options.tags),
            probe_seconds=self._options.probe_seconds,
        )
