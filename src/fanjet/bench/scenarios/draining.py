"""Scenarios: restarts under load.

Clients are drained gradually, reconnect elsewhere and recover.
"""

import asyncio
import contextlib
import itertools
import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from fanjet.bench.clients.client import TIMEOUT
from fanjet.bench.clients.http_api import PUBLISH, ApiConnection, open_api, publish_body
from fanjet.bench.clients.reconnecting import Balancer, ClientGroup, DeliveryStats, ReconnectingClient
from fanjet.bench.clients.tokens import connection_token
from fanjet.bench.environment import Environment, Scale
from fanjet.bench.errors import BenchError, NotAvailable
from fanjet.bench.measurement.figures import Figure, Unit, latency_figures
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.payload import timestamped_payload
from fanjet.bench.processes.redis import running_redis
from fanjet.bench.processes.restartable_node import node_settings, running_node
from fanjet.bench.processes.server import free_port
from fanjet.bench.processes.timed_subscribers import timed_subscribers
from fanjet.bench.settings import API_KEY, RECOVERED, TOKEN_SECRET

MEMBERS: Final = 20
"""Clients per channel, half of them on each node."""

INTERVAL: Final = 0.005
"""Seconds between two publications, each to the next channel."""

RESTART_TIMEOUT: Final = 60.0
"""Timeout in seconds for a restart, beyond the drain time."""


class Publisher:
    """Publishes to the channels in turn, on a schedule."""

    def __init__(self, balancer: Balancer, channels: Sequence[str]) -> None:
        self.failed = 0
        self._balancer = balancer
        self._channels = channels
        self._connection: ApiConnection | None = None

    async def run(self) -> None:
        """Publish until cancelled.

        A publish whose connection fails may or may not have succeeded.
        """
        clock = asyncio.get_running_loop().time
        due = clock()
        for channel in itertools.cycle(self._channels):
            try:
                await self._post(PUBLISH, publish_body(channel, timestamped_payload()))
            except BenchError:
                self.failed += 1
                self.close()
            due = max(due + INTERVAL, clock() - INTERVAL)
            await asyncio.sleep(max(0.0, due - clock()))

    async def last_offsets(self) -> dict[str, int]:
        """The offset of the last publication of each channel."""
        return {channel: await self._last_offset(channel) for channel in self._channels}

    async def _last_offset(self, channel: str) -> int:
        reply = msgspec.json.decode(await self._post(b"/api/history", msgspec.json.encode({"channel": channel})))
        return int(reply["result"].get("offset", 0))

    async def _post(self, path: bytes, body: bytes) -> bytes:
        if self._connection is None:
            self._connection = await open_api(self._balancer.next_address(), API_KEY)
        return await self._connection.post(path, body)

    def close(self) -> None:
        """Close its connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Workload:
    """The clients and the publisher of a restart scenario."""

    def __init__(self, balancer: Balancer, channels: Sequence[str]) -> None:
        self.stats = DeliveryStats()
        self.group = ClientGroup(self.stats)
        self.publisher = Publisher(balancer, channels)
        self._balancer = balancer
        self.channels = channels
        self._next_channel = itertools.cycle(channels)
        self._users = itertools.count(1)

    def clients(self, count: int) -> list[ReconnectingClient]:
        """Create `count` clients, spread over all channels."""
        return [self._client(next(self._users)) for _ in range(count)]

    def _client(self, number: int) -> ReconnectingClient:
        token = connection_token(f"user-{number}", TOKEN_SECRET)
        return ReconnectingClient(token, next(self._next_channel), self._balancer, self.stats)

    async def settle(self) -> None:
        """Wait for outstanding deliveries; those that do not arrive in time count as lost."""
        await self.stats.wait_all_subscribed(TIMEOUT)
        last_offsets = await self.publisher.last_offsets()
        deadline = asyncio.get_running_loop().time() + TIMEOUT
        missing = self._missing(last_offsets)
        while missing and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
            missing = self._missing(last_offsets)
        self.stats.lost += missing

    def _missing(self, last_offsets: dict[str, int]) -> int:
        return sum(max(0, last_offsets[client.channel] - client.offset) for client in self.group.clients)

    async def close(self) -> None:
        """Close all connections."""
        self.publisher.close()
        await self.group.close()

    def figures(self, phases: dict[str, Latencies]) -> list[Figure]:
        """Return the figures of a restart."""
        return [
            *(
                figure
                for name, latencies in phases.items()
                for figure in latency_figures(f"delivery {name}", latencies)
            ),
            *_reconnect_figures(self.stats.reconnected_at),
            Figure("publishes that failed", self.publisher.failed, Unit.COUNT),
            Figure("lost", self.stats.lost, Unit.COUNT),
            Figure("repeated", self.stats.repeated, Unit.COUNT),
            Figure("not recovered", self.stats.unrecovered, Unit.COUNT),
        ]


def _reconnect_figures(reconnected_at: Sequence[float]) -> list[Figure]:
    if not reconnected_at:
        raise BenchError("no client was drained")
    span = max(reconnected_at) - min(reconnected_at)
    busiest = max(Counter(int(when - min(reconnected_at)) for when in reconnected_at).values())
    return [
        Figure("reconnections", len(reconnected_at), Unit.COUNT),
        Figure("reconnections a second", len(reconnected_at) / max(span, 1.0), Unit.PER_SECOND),
        Figure("reconnections in the busiest second", busiest, Unit.PER_SECOND),
    ]


@contextlib.asynccontextmanager
async def _running_workload(balancer: Balancer, clients: int) -> AsyncIterator[Workload]:
    """A workload for `clients` clients, with their channels."""
    workload = Workload(balancer, [f"{RECOVERED}:room{number}" for number in range(max(1, clients // MEMBERS))])
    try:
        yield workload
    finally:
        await workload.close()


@contextlib.asynccontextmanager
async def _publishing(workload: Workload, scale: Scale) -> AsyncIterator[None]:
    """Publish during the block, and for a while before and after it."""
    publishing = asyncio.ensure_future(workload.publisher.run())
    try:
        await asyncio.sleep(scale.warm_up)
        yield
        await asyncio.sleep(scale.warm_up)
    finally:
        publishing.cancel()
        await asyncio.wait([publishing])
    workload.publisher.close()  # a request may be outstanding
    await workload.settle()


def _command(env: Environment) -> str:
    if not env.command:
        raise NotAvailable("a server that runs already cannot be restarted")
    return env.command


@dataclass(frozen=True, slots=True)
class NodeRestart:
    """One of two nodes is restarted with SIGTERM.

    Deliveries of the other one are timed.
    """

    name: str = "drain"
    summary: str = "2 nodes on Redis, 1000 clients each; one restarts, its clients move to the other and recover"

    async def run(self, env: Environment) -> list[Figure]:
        """Measure the phases of a node's restart.

        They are before the restart, until all clients have moved, and until the node is back.
        """
        command, scale = _command(env), env.scale
        async with contextlib.AsyncExitStack() as stack:
            redis = await stack.enter_async_context(running_redis())
            restarted, other = [
                await stack.enter_async_context(
                    running_node(command, node_settings(free_port(), scale.drain, **redis.settings))
                )
                for _ in range(2)
            ]
            balancer = Balancer([restarted.address, other.address])
            workload = await stack.enter_async_context(_running_workload(balancer, 2 * scale.subscribers))
            await workload.group.add(workload.clients(scale.subscribers), restarted.address)
            await workload.group.add(workload.clients(scale.subscribers), other.address)
            timed = await stack.enter_async_context(timed_subscribers(other.address, workload.channels))
            balancer.mark_down(restarted.address)  # for the publisher, too
            async with _publishing(workload, scale):
                with timed.phase("before"):
                    await asyncio.sleep(max(scale.seconds, scale.drain))
                with timed.phase("while clients move"):
                    restarted.send(signal.SIGTERM)
                    await restarted.wait_ended(scale.drain + RESTART_TIMEOUT)
                    await workload.stats.wait_all_subscribed(TIMEOUT)
                with timed.phase("while the node starts"):
                    await restarted.start()
                    balancer.mark_up(restarted.address)
            return workload.figures(await timed.finish())


@dataclass(frozen=True, slots=True)
class RollingRestart:
    """Both workers of a server are replaced sequentially."""

    name: str = "drain-workers"
    summary: str = "2 workers, 2000 clients; a rolling restart replaces both, their clients come back and recover"

    async def run(self, env: Environment) -> list[Figure]:
        """Measure before and during the replacement of the workers.

        The replacement ends when both workers are replaced and all clients are back.
        """
        command, scale = _command(env), env.scale
        async with contextlib.AsyncExitStack() as stack:
            settings = node_settings(free_port(), scale.drain, fanjet={"workers": 2})
            server = await stack.enter_async_context(running_node(command, settings))
            balancer = Balancer([server.address])
            workload = await stack.enter_async_context(_running_workload(balancer, 2 * scale.subscribers))
            await workload.group.add(workload.clients(2 * scale.subscribers), server.address)
            timed = await stack.enter_async_context(timed_subscribers(server.address, workload.channels))
            async with _publishing(workload, scale):
                with timed.phase("before"):
                    await asyncio.sleep(max(scale.seconds, scale.drain))
                with timed.phase("while workers are replaced"):
                    server.send(signal.SIGUSR2)
                    await server.wait_for_log("rolling restart is done", 2 * scale.drain + RESTART_TIMEOUT)
                    await workload.stats.wait_all_subscribed(TIMEOUT)
            return workload.figures(await timed.finish())
