"""Scenario: clients subscribe and unsubscribe repeatedly over open connections."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from fanjet.bench.clients.client import Client
from fanjet.bench.clients.websocket import commands_frame
from fanjet.bench.environment import Environment
from fanjet.bench.measurement.figures import Figure, Unit, cpu_per, latency_figures, throughput
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.processes.redis import Redis, running_redis
from fanjet.bench.workload.command_series import CommandSeries

CLIENT_DIVISOR: Final = 10
"""The number of clients is the scale's subscribers divided by this."""

CHANNELS: Final = 100
"""Channels per client, not shared with other clients."""


@dataclass(frozen=True, slots=True)
class SubscribeChurn:
    """All clients subscribe to their channels, then unsubscribe.

    Each round uses new channels.

    A server may unsubscribe from its engine some time after the last subscriber has left, so each step lasts until
    Redis has the expected number of channels.
    """

    name: str
    summary: str
    commands_per_frame: int = 1
    """Commands in one frame."""
    frames_in_flight: int = 1
    """Frames sent before the first reply; then one for each reply."""

    async def run(self, env: Environment) -> list[Figure]:
        """Measure until the server is idle after the last reply."""
        async with running_redis() as redis, env.with_server(redis.settings) as server:
            clients = await server.clients(() for _ in range(env.scale.subscribers // CLIENT_DIVISOR))
            await server.settle()
            idle = await redis.channels()  # the server's own
            subscribe, unsubscribe = (_Step(command, self, server, redis) for command in ("subscribe", "unsubscribe"))
            clock = asyncio.get_running_loop().time
            end = 0.0
            turn = 0
            while not end or clock() < end:
                turn += 1
                names = [
                    [f"turn{turn}-{index}-{number}" for number in range(CHANNELS)] for index in range(len(clients))
                ]
                await subscribe.run(clients, names, expected_channels=idle + len(clients) * CHANNELS)
                await unsubscribe.run(clients, names, expected_channels=idle)
                if not end:  # the first round is the warm-up
                    end = clock() + env.scale.seconds
                    subscribe.reset()
                    unsubscribe.reset()
        both = (subscribe.cpu_ns + unsubscribe.cpu_ns) / 1000 / subscribe.count
        return [*subscribe.figures(), *unsubscribe.figures(), Figure("CPU of both", both, Unit.MICROSECONDS)]


class _Step:
    """One of the two commands, run by all clients, and its accumulated cost."""

    def __init__(self, command: str, scenario: SubscribeChurn, env: Environment, redis: Redis) -> None:
        self._command = command
        self._scenario = scenario
        self._env = env
        self._redis = redis
        self.reset()

    def reset(self) -> None:
        """Reset the figures after the warm-up."""
        self.count = self.cpu_ns = self._writes = 0
        self._seconds = 0.0
        self._latencies = Latencies()

    async def run(self, clients: Sequence[Client], names: Sequence[Sequence[str]], *, expected_channels: int) -> None:
        """Send the commands for these channels of each client.

        `expected_channels` is how many Redis has afterwards.
        """
        series = [
            CommandSeries(
                client.transport, list(self._frames(own)), len(own), frames_in_flight=self._scenario.frames_in_flight
            )
            for client, own in zip(clients, names, strict=True)
        ]
        clock = asyncio.get_running_loop().time
        meter, began = self._env.meter(), clock()
        for one in series:
            one.start(self._latencies)
        for one in series:
            await one.wait_answered()
        self._seconds += clock() - began
        await self._redis.wait_for_channels(expected_channels)
        await self._env.settle()
        meter.stop()
        self.cpu_ns += meter.cpu_ns
        self._writes += meter.writes
        self.count += sum(map(len, names))

    def _frames(self, names: Sequence[str]) -> Iterator[bytes]:
        commands = [{"id": number, self._command: {"channel": name}} for number, name in enumerate(names, start=1)]
        for start in range(0, len(commands), self._scenario.commands_per_frame):
            yield commands_frame(*commands[start : start + self._scenario.commands_per_frame])

    def figures(self) -> list[Figure]:
        """Return CPU per command, throughput, and the latency of all commands of a client.

        Writes include those to clients and to Redis.
        """
        return [
            cpu_per(self._command, self.cpu_ns, self.count),
            Figure(f"writes per {self._command}", self._writes / self.count, Unit.TIMES),
            throughput(f"{self._command}s", self.count, self._seconds),
            *latency_figures(f"{CHANNELS} {self._command}s of a client", self._latencies),
        ]
