"""Subscriptions that come and go while the connections stay."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from fanjet.bench.clients.client import Client
from fanjet.bench.clients.websocket import commands_frame
from fanjet.bench.measurement.figures import Figure, Unit, cpu_per, latency_figures, throughput
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.processes.redis import Redis, running_redis
from fanjet.bench.environment import Stage
from fanjet.bench.workload.command_series import Series

SHARE: Final = 10
"""Clients are one in so many of the scale's subscribers."""

CHANNELS: Final = 100
"""Of each client, and of nobody else."""


@dataclass(frozen=True, slots=True)
class Subscribing:
    """All clients subscribe to their channels, then unsubscribe; again and again, to channels never seen before.

    A server may leave a channel at its engine a while after its last subscriber, so each step lasts until Redis has as
    many channels as it should.
    """

    name: str
    summary: str
    in_a_frame: int = 1
    """Commands."""
    at_once: int = 1
    """Frames that are sent before the first answer is there; then one for each answer."""

    async def run(self, stage: Stage) -> list[Figure]:
        """Measure until nothing is left to do after the last answer."""
        async with running_redis() as redis, stage.another(redis.settings) as server:
            clients = await server.clients(() for _ in range(stage.scale.subscribers // SHARE))
            await server.settle()
            idle = await redis.channels()  # the server's own
            subscribe, unsubscribe = (_Step(command, self, server, redis) for command in ("subscribe", "unsubscribe"))
            clock = asyncio.get_running_loop().time
            end = 0.0
            turn = 0
            while not end or clock() < end:
                turn += 1
                names = [[f"turn{turn}-{who}-{number}" for number in range(CHANNELS)] for who in range(len(clients))]
                await subscribe.do(clients, names, then=idle + len(clients) * CHANNELS)
                await unsubscribe.do(clients, names, then=idle)
                if not end:  # that was to warm up
                    end = clock() + stage.scale.seconds
                    subscribe.forget()
                    unsubscribe.forget()
        both = (subscribe.cpu_ns + unsubscribe.cpu_ns) / 1000 / subscribe.count
        return [*subscribe.figures(), *unsubscribe.figures(), Figure("CPU of both", both, Unit.MICROSECONDS)]


class _Step:
    """One of the two commands, done by all clients, and what that has cost so far."""

    def __init__(self, command: str, form: Subscribing, stage: Stage, redis: Redis) -> None:
        self._command = command
        self._form = form
        self._stage = stage
        self._redis = redis
        self.forget()

    def forget(self) -> None:
        """Begin anew, after warming up."""
        self.count = self.cpu_ns = self._writes = 0
        self._seconds = 0.0
        self._latencies = Latencies()

    async def do(self, clients: Sequence[Client], names: Sequence[Sequence[str]], *, then: int) -> None:
        """Send the commands for these channels of each client; `then` is how many Redis has afterwards."""
        series = [
            Series(client.transport, list(self._frames(own)), len(own), at_once=self._form.at_once)
            for client, own in zip(clients, names, strict=True)
        ]
        clock = asyncio.get_running_loop().time
        meter, began = self._stage.meter(), clock()
        for one in series:
            one.start(self._latencies)
        for one in series:
            await one.answered()
        self._seconds += clock() - began
        await self._redis.channels_are(then)
        await self._stage.settle()
        meter.stop()
        self.cpu_ns += meter.cpu_ns
        self._writes += meter.writes
        self.count += sum(map(len, names))

    def _frames(self, names: Sequence[str]) -> Iterator[bytes]:
        commands = [{"id": number, self._command: {"channel": name}} for number, name in enumerate(names, start=1)]
        for start in range(0, len(commands), self._form.in_a_frame):
            yield commands_frame(*commands[start : start + self._form.in_a_frame])

    def figures(self) -> list[Figure]:
        """Return what a command costs, how many are answered in a second, and how long all those of a client take.

        Writes are those to clients and to Redis.
        """
        return [
            cpu_per(self._command, self.cpu_ns, self.count),
            Figure(f"writes per {self._command}", self._writes / self.count, Unit.TIMES),
            throughput(f"{self._command}s", self.count, self._seconds),
            *latency_figures(f"{CHANNELS} {self._command}s of a client", self._latencies),
        ]
