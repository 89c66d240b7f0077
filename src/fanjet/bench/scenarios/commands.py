"""Scenarios: client commands and their replies."""

import asyncio
from dataclasses import dataclass
from typing import Final

from fanjet.bench.clients.websocket import commands_frame, text_frame
from fanjet.bench.environment import Environment
from fanjet.bench.measurement.figures import Figure, cpu_per, latency_figures, throughput
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.payload import timestamped_payload
from fanjet.bench.workload.closed_loops import CommandLoop, stop_all, total

CLIENTS: Final = 100


def ping_frame() -> bytes:
    """Return a frame with the cheapest command: the built-in RPC (01 §6.8)."""
    return commands_frame({"id": 99, "rpc": {"method": "ping"}})


@dataclass(frozen=True, slots=True)
class CommandRoundTrip:
    """Every client sends a command as soon as the previous one is answered."""

    name: str = "command"
    summary: str = "100 clients: command in, reply out"

    async def run(self, env: Environment) -> list[Figure]:
        """Measure round trips."""
        clients = await env.clients(() for _ in range(CLIENTS))
        loops = [(client.transport, ping_frame(), 1) for client in clients]
        return await _measure(env, "command", loops)


@dataclass(frozen=True, slots=True)
class ClientPublish:
    """Every client publishes to its own channel, of which it is the only subscriber."""

    name: str = "client-publish"
    summary: str = "100 clients, each publishing to its own channel: command in, reply and push out"

    async def run(self, env: Environment) -> list[Figure]:
        """Measure until both the reply and the push have arrived."""
        clients = await env.clients([{"channel": f"own{number}"}] for number in range(CLIENTS))
        loops = [(client.transport, _publish_frame(f"own{number}"), 2) for number, client in enumerate(clients)]
        return await _measure(env, "client publish", loops)


def _publish_frame(channel: str) -> bytes:
    return text_frame(b'{"id":99,"publish":{"channel":"%s","data":%s}}' % (channel.encode(), timestamped_payload()))


async def _measure(
    env: Environment, unit_name: str, exchanges: list[tuple[asyncio.Transport, bytes, int]]
) -> list[Figure]:
    """Run the exchanges after a warm-up.

    An exchange is a transport, a frame and the number of expected messages.
    """
    await _run(exchanges, Latencies(), env.scale.warm_up)
    await env.settle()
    latencies, meter = Latencies(), env.meter()
    count = await _run(exchanges, latencies, env.scale.seconds)
    meter.stop()
    return [
        cpu_per(unit_name, meter.cpu_ns, count),
        throughput(f"{unit_name}es" if unit_name.endswith("sh") else f"{unit_name}s", count, meter.seconds),
        *latency_figures("round trip", latencies),
    ]


async def _run(exchanges: list[tuple[asyncio.Transport, bytes, int]], latencies: Latencies, seconds: float) -> int:
    loops = [CommandLoop(transport, frame, answers, latencies) for transport, frame, answers in exchanges]
    for loop in loops:
        loop.start()
    await asyncio.sleep(seconds)
    await stop_all(loops)
    return total(loops)
