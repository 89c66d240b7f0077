"""The subscriptions of the Redis broker, on all shards.

This is the receiving half of the broker (07 §8, §22.3, §22.4).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from msgspec import Struct

from ..sharding import jump_hash
from .connectors import PrimaryConnector, ReplicaConnector
from .group import SubscriptionGroup
from .partition_groups import PartitionGroups
from .partitions import Partition
from .supervisor import PROBE_SECONDS, ConnectionSupervisor, outages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..keys import NodeChannels
    from ..topology.cluster import ClusterShard
    from ..topology.endpoints import EndpointProvider
    from ..topology.shard import Shard
    from .supervisor import Connector, Supervisor

_PURPOSE = "messages"


class PubSubOptions(Struct, frozen=True):
    """`tags`: hash tags of the sharded PUB/SUB partitions, which need a cluster.

    `by_node`: partitions on one server share a connection. `from_replicas`: subscribe on replicas, to relieve the
    primaries.
    """

    tags: Sequence[str] = ()
    by_node: bool = False
    from_replicas: bool = False
    probe_seconds: float = PROBE_SECONDS


class BrokerPubSub:
    """Subscription groups of all shards and their supervisors.

    `on_message` gets name and payload of each message.
    """

    def __init__(
        self,
        options: PubSubOptions,
        channels: NodeChannels,
        on_message: Callable[[bytes, bytes], None],
        on_restored: Callable[[], None],
        count_error: Callable[[str], None],
    ) -> None:
        """`on_restored`, `count_error`: see `ConnectionSupervisor`."""
        self._options = options
        self._channels = channels
        self._on_message = on_message
        self._on_restored = on_restored
        self._count_error = count_error
        self._groups: list[list[SubscriptionGroup]] = []
        self._supervisors: list[Supervisor] = []

    async def start(self, shards: Iterable[Shard]) -> None:
        """Start the supervisors.

        Returns after the first connection attempt of each, successful or not.
        """
        for shard in shards:
            self._add(shard)
        await asyncio.gather(*(supervisor.start() for supervisor in self._supervisors))

    async def close(self) -> None:
        """Stop receiving."""
        await asyncio.gather(*(supervisor.close() for supervisor in self._supervisors))

    def group_of(self, shard: int, channel: str) -> SubscriptionGroup:
        """The subscription group of a channel on the shard with this index."""
        groups = self._groups[shard]
        return groups[jump_hash(channel, len(groups))] if len(groups) > 1 else groups[0]

    @property
    def outage(self) -> str:
        """The parts that receive nothing now; empty while all are healthy."""
        return outages_of(self._supervisors)

    @property
    def silence(self) -> float:
        """The longest silence of all parts; see `ConnectionSupervisor.silence`."""
        return max((supervisor.silence for supervisor in self._supervisors), default=0.0)

    def _add(self, shard: Shard) -> None:
        options, channels = self._options, self._channels
        if not options.tags:
            groups = [SubscriptionGroup([channels.service], channels.probe)]
            self._supervisors.append(self._make_supervisor(self._connector(shard), groups))
        else:
            cluster = cast("ClusterShard", shard)
            groups = [SubscriptionGroup([channels.service_of(tag)], channels.probe_of(tag)) for tag in options.tags]
            if options.by_node:
                from_replicas = options.from_replicas
                self._supervisors.append(
                    PartitionGroups(
                        cluster, _PURPOSE, groups, self._make_shared_supervisor, from_replicas=from_replicas
                    )
                )
            else:
                connectors = (self._connector(Partition(cluster, tag)) for tag in options.tags)
                pairs = zip(connectors, groups, strict=True)
                self._supervisors += [self._make_supervisor(connector, [group]) for connector, group in pairs]
        self._groups.append(groups)

    def _connector(self, provider: EndpointProvider) -> Connector:
        return ReplicaConnector(provider) if self._options.from_replicas else PrimaryConnector(provider)

    def _make_shared_supervisor(
        self, connector: Connector, on_slot_moved: Callable[[SubscriptionGroup], None]
    ) -> ConnectionSupervisor:
        return self._make_supervisor(connector, (), on_slot_moved)

    def _make_supervisor(
        self,
        connector: Connector,
        groups: Iterable[SubscriptionGroup],
        on_slot_moved: Callable[[SubscriptionGroup], None] | None = None,
    ) -> ConnectionSupervisor:
        def count(error: str) -> None:
            self._count_error("subscribe_shard_channel" if error == "subscribe" else error)

        return ConnectionSupervisor(
            connector,
            _PURPOSE,
            groups,
            self._on_message,
            count_error=count,
            on_restored=self._on_restored,
            on_slot_moved=on_slot_moved,
            sharded=bool(self._options.tags),
            probe_seconds=self._options.probe_seconds,
        )
