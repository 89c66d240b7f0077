"""A restart under load: clients are sent away one after the other, come back elsewhere, and miss nothing."""

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
from fanjet.bench.clients.reconnecting import Balancer, Book, Crowd, Returning
from fanjet.bench.clients.tokens import connection_token
from fanjet.bench.errors import BenchError, NotAvailable
from fanjet.bench.measurement.figures import Figure, Unit, latency_figures
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.processes.redis import running_redis
from fanjet.bench.processes.restartable_node import node_settings, running_node
from fanjet.bench.processes.server import free_port
from fanjet.bench.processes.timed_subscribers import watching
from fanjet.bench.settings import API_KEY, RECOVERED, TOKEN_SECRET
from fanjet.bench.environment import Scale, Stage
from fanjet.bench.workload.payload import stamped

MEMBERS: Final = 20
"""Clients in a channel, half of them on each node."""

INTERVAL: Final = 0.005
"""Seconds between two publications, each to the next channel."""

PATIENCE: Final = 60.0
"""Seconds beyond the time of draining in which a restart has to be over."""


class Publisher:
    """Publishes to one channel after the other, on a schedule."""

    def __init__(self, balancer: Balancer, channels: Sequence[str]) -> None:
        self.failed = 0
        self._balancer = balancer
        self._channels = channels
        self._connection: ApiConnection | None = None

    async def run(self) -> None:
        """Publish until cancelled. What fails with its connection may have been published or not."""
        clock = asyncio.get_running_loop().time
        due = clock()
        for channel in itertools.cycle(self._channels):
            try:
                await self._post(PUBLISH, publish_body(channel, stamped()))
            except BenchError:
                self.failed += 1
                self.close()
            due = max(due + INTERVAL, clock() - INTERVAL)
            await asyncio.sleep(max(0.0, due - clock()))

    async def tops(self) -> dict[str, int]:
        """For each channel the offset of its last publication."""
        return {channel: await self._top(channel) for channel in self._channels}

    async def _top(self, channel: str) -> int:
        answer = msgspec.json.decode(await self._post(b"/api/history", msgspec.json.encode({"channel": channel})))
        return int(answer["result"].get("offset", 0))

    async def _post(self, path: bytes, body: bytes) -> bytes:
        if self._connection is None:
            self._connection = await open_api(self._balancer.choose(), API_KEY)
        return await self._connection.post(path, body)

    def close(self) -> None:
        """Close its connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Play:
    """The clients and the publisher."""

    def __init__(self, balancer: Balancer, channels: Sequence[str]) -> None:
        self.book = Book()
        self.crowd = Crowd(self.book)
        self.publisher = Publisher(balancer, channels)
        self._balancer = balancer
        self.channels = channels
        self._next_channel = itertools.cycle(channels)
        self._users = itertools.count(1)

    def clients(self, count: int) -> list[Returning]:
        """So many clients, in all channels."""
        return [self._client(next(self._users)) for _ in range(count)]

    def _client(self, number: int) -> Returning:
        token = connection_token(f"user-{number}", TOKEN_SECRET)
        return Returning(token, next(self._next_channel), self._balancer, self.book)

    async def settle(self) -> None:
        """Wait for what is under way; what does not come is lost."""
        await self.book.all_back(TIMEOUT)
        tops = await self.publisher.tops()
        deadline = asyncio.get_running_loop().time() + TIMEOUT
        missing = self._missing(tops)
        while missing and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
            missing = self._missing(tops)
        self.book.lost += missing

    def _missing(self, tops: dict[str, int]) -> int:
        return sum(max(0, tops[client.channel] - client.offset) for client in self.crowd.clients)

    async def close(self) -> None:
        """End everything."""
        self.publisher.close()
        await self.crowd.close()

    def figures(self, phases: dict[str, Latencies]) -> list[Figure]:
        """Return what a restart did to everybody."""
        return [
            *(
                figure
                for name, latencies in phases.items()
                for figure in latency_figures(f"delivery {name}", latencies)
            ),
            *_pace_figures(self.book.returns),
            Figure("publishes that failed", self.publisher.failed, Unit.COUNT),
            Figure("lost", self.book.lost, Unit.COUNT),
            Figure("repeated", self.book.repeated, Unit.COUNT),
            Figure("not recovered", self.book.unrecovered, Unit.COUNT),
        ]


def _pace_figures(returns: Sequence[float]) -> list[Figure]:
    if not returns:
        raise BenchError("nobody was sent away")
    span = max(returns) - min(returns)
    busiest = max(Counter(int(when - min(returns)) for when in returns).values())
    return [
        Figure("reconnections", len(returns), Unit.COUNT),
        Figure("reconnections a second", len(returns) / max(span, 1.0), Unit.PER_SECOND),
        Figure("reconnections in the busiest second", busiest, Unit.PER_SECOND),
    ]


@contextlib.asynccontextmanager
async def _playing(balancer: Balancer, clients: int) -> AsyncIterator[Play]:
    """The clients to be; the channels for so many of them."""
    play = Play(balancer, [f"{RECOVERED}:room{number}" for number in range(max(1, clients // MEMBERS))])
    try:
        yield play
    finally:
        await play.close()


@contextlib.asynccontextmanager
async def _publishing(play: Play, scale: Scale) -> AsyncIterator[None]:
    """Publish meanwhile, and some time before and after."""
    publishing = asyncio.ensure_future(play.publisher.run())
    try:
        await asyncio.sleep(scale.warm_up)
        yield
        await asyncio.sleep(scale.warm_up)
    finally:
        publishing.cancel()
        await asyncio.wait([publishing])
    play.publisher.close()  # it may be in the midst of a request
    await play.settle()


def _command(stage: Stage) -> str:
    if not stage.command:
        raise NotAvailable("a server that runs already cannot be restarted")
    return stage.command


@dataclass(frozen=True, slots=True)
class NodeRestart:
    """One of two nodes ends on SIGTERM and is started anew; deliveries of the other one are timed."""

    name: str = "drain"
    summary: str = "2 nodes on Redis, 1000 clients each; one restarts, its clients move to the other and recover"

    async def run(self, stage: Stage) -> list[Figure]:
        """Measure before, from the signal until all clients are elsewhere, and until the node is there again."""
        command, scale = _command(stage), stage.scale
        async with contextlib.AsyncExitStack() as stack:
            redis = await stack.enter_async_context(running_redis())
            ours, other = [
                await stack.enter_async_context(
                    running_node(command, node_settings(free_port(), scale.drain, **redis.settings))
                )
                for _ in range(2)
            ]
            balancer = Balancer([ours.address, other.address])
            play = await stack.enter_async_context(_playing(balancer, 2 * scale.subscribers))
            await play.crowd.add(play.clients(scale.subscribers), ours.address)
            await play.crowd.add(play.clients(scale.subscribers), other.address)
            watchers = await stack.enter_async_context(watching(other.address, play.channels))
            balancer.take_out(ours.address)  # where it publishes, too
            async with _publishing(play, scale):
                with watchers.timed("before"):
                    await asyncio.sleep(max(scale.seconds, scale.drain))
                with watchers.timed("while clients move"):
                    ours.send(signal.SIGTERM)
                    await ours.ended(scale.drain + PATIENCE)
                    await play.book.all_back(TIMEOUT)
                with watchers.timed("while the node starts"):
                    await ours.start()
                    balancer.put_back(ours.address)
            return play.figures(await watchers.finish())


@dataclass(frozen=True, slots=True)
class RollingRestart:
    """Both workers of a server are replaced, one after the other."""

    name: str = "drain-workers"
    summary: str = "2 workers, 2000 clients; a rolling restart replaces both, their clients come back and recover"

    async def run(self, stage: Stage) -> list[Figure]:
        """Measure before, and from the signal until both have been replaced and all clients are back."""
        command, scale = _command(stage), stage.scale
        async with contextlib.AsyncExitStack() as stack:
            settings = node_settings(free_port(), scale.drain, fanjet={"workers": 2})
            server = await stack.enter_async_context(running_node(command, settings))
            balancer = Balancer([server.address])
            play = await stack.enter_async_context(_playing(balancer, 2 * scale.subscribers))
            await play.crowd.add(play.clients(2 * scale.subscribers), server.address)
            watchers = await stack.enter_async_context(watching(server.address, play.channels))
            async with _publishing(play, scale):
                with watchers.timed("before"):
                    await asyncio.sleep(max(scale.seconds, scale.drain))
                with watchers.timed("while workers are replaced"):
                    server.send(signal.SIGUSR2)
                    await server.logged("rolling restart is done", 2 * scale.drain + PATIENCE)
                    await play.book.all_back(TIMEOUT)
            return play.figures(await watchers.finish())
