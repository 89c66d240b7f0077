"""Commands of clients and their replies."""

import asyncio
from dataclasses import dataclass
from typing import Final

from fanjet.bench.clients.websocket import commands_frame, text_frame
from fanjet.bench.measurement.figures import Figure, cpu_per, latency_figures, throughput
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.environment import Stage
from fanjet.bench.workload.closed_loops import CommandLoop, stop_all, total
from fanjet.bench.workload.payload import stamped

CLIENTS: Final = 100


def ping_frame() -> bytes:
    """Return a frame with the cheapest command there is: the built-in RPC (01 §6.8)."""
    return commands_frame({"id": 99, "rpc": {"method": "ping"}})


@dataclass(frozen=True, slots=True)
class CommandRoundTrip:
    """Every client sends a command as soon as its last one is answered."""

    name: str = "command"
    summary: str = "100 clients: command in, reply out"

    async def run(self, stage: Stage) -> list[Figure]:
        """Measure whole round trips."""
        clients = await stage.clients(() for _ in range(CLIENTS))
        loops = [(client.transport, ping_frame(), 1) for client in clients]
        return await _measure(stage, "command", loops)


@dataclass(frozen=True, slots=True)
class ClientPublish:
    """Every client publishes to a channel that only it is subscribed to."""

    name: str = "client-publish"
    summary: str = "100 clients, each publishing to its own channel: command in, reply and push out"

    async def run(self, stage: Stage) -> list[Figure]:
        """Measure until both reply and push are there."""
        clients = await stage.clients([{"channel": f"own{number}"}] for number in range(CLIENTS))
        loops = [(client.transport, _publish_frame(f"own{number}"), 2) for number, client in enumerate(clients)]
        return await _measure(stage, "client publish", loops)


def _publish_frame(channel: str) -> bytes:
    return text_frame(b'{"id":99,"publish":{"channel":"%s","data":%s}}' % (channel.encode(), stamped()))


async def _measure(stage: Stage, what: str, dialogues: list[tuple[asyncio.Transport, bytes, int]]) -> list[Figure]:
    """Run the dialogues (transport, frame to send, messages that answer it), warm-up apart."""
    await _run(dialogues, Latencies(), stage.scale.warm_up)
    await stage.settle()
    latencies, meter = Latencies(), stage.meter()
    count = await _run(dialogues, latencies, stage.scale.seconds)
    meter.stop()
    return [
        cpu_per(what, meter.cpu_ns, count),
        throughput(f"{what}es" if what.endswith("sh") else f"{what}s", count, meter.seconds),
        *latency_figures("round trip", latencies),
    ]


async def _run(dialogues: list[tuple[asyncio.Transport, bytes, int]], latencies: Latencies, seconds: float) -> int:
    loops = [CommandLoop(transport, frame, answers, latencies) for transport, frame, answers in dialogues]
    for loop in loops:
        loop.start()
    await asyncio.sleep(seconds)
    await stop_all(loops)
    return total(loops)
