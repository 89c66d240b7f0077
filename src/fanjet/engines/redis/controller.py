"""Control messages over Redis (07 §8.4, §14.2)."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from .keys import NodeNames
from .pubsub.connectors import AtPrimary
from .pubsub.group import Ear
from .pubsub.supervisor import PROBE_SECONDS, Listener, outages_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .shards import Shards


class RedisController:
    """Everybody hears one PUB/SUB channel, each node another one, on every shard; messages take turns between them."""

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
        self._names = NodeNames(prefix, uid)
        self._listeners: list[Listener] = []
        self._turns = itertools.count()
        self._count_error = count_error
        self._probe_seconds = probe_seconds

    @property
    def outage(self) -> str:
        """See `RemoteEngine`."""
        return self._shards.outage or outages_of(self._listeners)

    @property
    def silence(self) -> float:
        """See `ProbedEngine`."""
        return max((listener.silence for listener in self._listeners), default=0.0)

    async def start(self, on_control: Callable[[bytes], None]) -> None:
        """See `Controller.start`."""
        names = self._names

        def take(name: bytes, payload: bytes) -> None:
            if name != probe:
                on_control(payload)

        def count(error: str) -> None:
            self._count_error("subscribe_control_channel" if error == "subscribe" else f"control_{error}")

        probe = names.probe.encode()
        await self._shards.start()
        self._listeners = [
            Listener(
                AtPrimary(shard),
                "control",
                [Ear([names.control, names.own], names.probe)],
                take,
                count_error=count,
                probe_seconds=self._probe_seconds,
            )
            for shard in self._shards
        ]
        await asyncio.gather(*(listener.start() for listener in self._listeners))

    async def publish_control(self, message: bytes, node: str = "") -> None:
        """See `Controller.publish_control`."""
        name = self._names.node(node) if node else self._names.control
        shards = list(self._shards)
        await shards[next(self._turns) % len(shards)].publish(("PUBLISH", name, message), name)

    async def close(self) -> None:
        """See `Controller.close`."""
        await asyncio.gather(*(listener.close() for listener in self._listeners))
        await self._shards.close()
