"""Control messages over Redis (07 §8.4, §14.2)."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from .keys import NodeChannels
from .pubsub.connectors import PrimaryConnector
from .pubsub.group import SubscriptionGroup
from .pubsub.supervisor import PROBE_SECONDS, ConnectionSupervisor, outages_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .shards import Shards


class RedisController:
    """Exchanges control messages between nodes over Redis PUB/SUB.

    There is one PUB/SUB channel for all nodes and one per node, on every shard; the shards take turns as carriers.
    """

    def __init__(
        self,
        shards: Shards,
        *,
        prefix: str,
        uid: str,
        count_error: Callable[[str], None] = lambda _error: None,
        probe_seconds: float = PROBE_SECONDS,
    ) -> None:
        """`count_error` gets the names of errors (07 §24)."""
        self._shards = shards
        self._channels = NodeChannels(prefix, uid)
        self._supervisors: list[ConnectionSupervisor] = []
        self._next_shard = itertools.count()
        self._count_error = count_error
        self._probe_seconds = probe_seconds

    @property
    def outage(self) -> str:
        """See `RemoteEngine`."""
        return self._shards.outage or outages_of(self._supervisors)

    @property
    def silence(self) -> float:
        """See `ProbedEngine`."""
        return max((supervisor.silence for supervisor in self._supervisors), default=0.0)

    async def start(self, on_control: Callable[[bytes], None]) -> None:
        """See `Controller.start`."""
        channels = self._channels

        def on_message(name: bytes, payload: bytes) -> None:
            if name != probe:
                on_control(payload)

        def count(error: str) -> None:
            self._count_error("subscribe_control_channel" if error == "subscribe" else f"control_{error}")

        probe = channels.probe.encode()
        await self._shards.start()
        self._supervisors = [
            ConnectionSupervisor(
                PrimaryConnector(shard),
                "control",
                [SubscriptionGroup([channels.control, channels.own], channels.probe)],
                on_message,
                count_error=count,
                probe_seconds=self._probe_seconds,
            )
            for shard in self._shards
        ]
        await asyncio.gather(*(supervisor.start() for supervisor in self._supervisors))

    async def publish_control(self, message: bytes, node: str = "") -> None:
        """See `Controller.publish_control`."""
        name = self._channels.node(node) if node else self._channels.control
        shards = list(self._shards)
        await shards[next(self._next_shard) % len(shards)].publish(("PUBLISH", name, message), name)

    async def close(self) -> None:
        """See `Controller.close`."""
        await asyncio.gather(*(supervisor.close() for supervisor in self._supervisors))
        await self._shards.close()
