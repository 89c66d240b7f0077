"""The baseline of all figures: the minimal cost of sending on this machine."""

import asyncio
from typing import Final

from fanjet.bench.clients.client import TIMEOUT
from fanjet.bench.clients.receivers import MessageCounter, attach_reader, timed_indices
from fanjet.bench.environment import Environment
from fanjet.bench.errors import BenchError
from fanjet.bench.measurement.figures import Figure, cpu_per, latency_figures, throughput
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.processes.server import Spawned

SEND_LOOP: Final = Spawned("{python} -m fanjet.bench.processes.send_loop {config}")
"""The server that this scenario runs on."""

INTERVAL_US: Final = 10_000
PACED: Final = "one per 10 ms"


class KernelLimit:
    """One frame to many sockets in a plain loop of `send()`.

    The frames are sent every 10 ms, then back to back.
    """

    name = "kernel"
    summary = "the kernel's limit: a plain loop of send() to 1000 sockets"

    async def run(self, env: Environment) -> list[Figure]:
        """Measure both rates."""
        receivers = _Receivers(env)
        await receivers.connect()
        count = max(1, round(env.scale.seconds * 1e6 / INTERVAL_US))
        try:
            return [
                *await receivers.measure(PACED, count, INTERVAL_US),
                *await receivers.measure("back to back", count, 0),
            ]
        finally:
            receivers.close()


class _Receivers:
    def __init__(self, env: Environment) -> None:
        self._env = env
        self._count = env.scale.subscribers
        self._counter = MessageCounter()
        self._latencies = Latencies()
        self._transports: list[asyncio.Transport] = []

    async def connect(self) -> None:
        """Open the receivers, then the control connection."""
        loop = asyncio.get_running_loop()
        timed = timed_indices(self._count)
        for index in range(self._count):
            transport, _ = await loop.create_connection(asyncio.Protocol, *self._env.address)
            attach_reader(transport, self._counter, self._latencies if index in timed else None)
            transport.write(b"r")
            self._transports.append(transport)
        self._lines, self._control = await asyncio.open_connection(*self._env.address)
        self._control.write(b"c")

    async def measure(self, pace: str, count: int, interval: int) -> list[Figure]:
        """Have `count` frames sent to every receiver."""
        self._latencies.clear()
        before, meter = self._counter.count, self._env.meter()
        self._control.write(b"%d %d\n" % (count, interval))
        async with asyncio.timeout(TIMEOUT * 3):
            if await self._lines.readline() != b"done\n":
                raise BenchError("the sender ended")
        await self._counter.wait_for_count(before + count * self._count, TIMEOUT)
        meter.stop()
        return [
            cpu_per(f"send(), {pace}", meter.cpu_ns, count * self._count),
            throughput(f"sends, {pace}", count * self._count, meter.seconds),
            *latency_figures(f"delivery, {pace},", self._latencies),
        ]

    def close(self) -> None:
        """Drop all connections."""
        self._control.close()
        for transport in self._transports:
            transport.abort()
