"""Connections: many at rest, many coming, many coming back."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fanjet.bench.clients.client import Client, Reply, abort_all, open_clients
from fanjet.bench.clients.http_api import PUBLISH, publish_body
from fanjet.bench.clients.receivers import Tally, attach_counters
from fanjet.bench.clients.transports import WEBSOCKET, Carrier
from fanjet.bench.errors import BenchError
from fanjet.bench.measurement.figures import Figure, Unit, cpu_per, latency_figures, throughput
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.settings import RECOVERED
from fanjet.bench.environment import Stage
from fanjet.bench.workload.payload import stamped

FIRST_CONNECTIONS: Final = 100
"""Connections made before the memory is read first, so that what a server allocates once is not counted."""

MISSED: Final = 5
"""Publications that a returning connection recovers."""


@dataclass(frozen=True, slots=True)
class IdleConnections:
    """Connections with a token and one subscription, to channels of `members` each, that only answer pings."""

    name: str
    summary: str
    members: int
    carrier: Carrier = WEBSOCKET

    async def run(self, stage: Stage) -> list[Figure]:
        """Read memory before the connections and after the idle time, CPU over the idle time."""
        tally = Tally()
        await self._connect(stage, tally, range(FIRST_CONNECTIONS))
        await stage.settle()
        before = stage.tree.memory()
        count = stage.scale.crowd // 2
        await self._connect(stage, tally, range(FIRST_CONNECTIONS, FIRST_CONNECTIONS + count))
        await stage.settle()
        meter = stage.meter()
        await asyncio.sleep(stage.scale.idle_seconds)
        meter.stop()
        after = stage.tree.memory()
        if tally.lost:
            raise BenchError(f"{tally.lost} idle connections were closed by the server")
        connection_seconds = round((count + FIRST_CONNECTIONS) * meter.seconds)
        return [
            Figure("memory per connection (PSS)", (after.pss - before.pss) / count, Unit.BYTES),
            Figure("memory per connection (RSS)", (after.rss - before.rss) / count, Unit.BYTES),
            cpu_per("idle connection and second", meter.cpu_ns, connection_seconds),
        ]

    async def _connect(self, stage: Stage, tally: Tally, numbers: range) -> None:
        rooms = ([{"channel": f"room{number // self.members}"}] for number in numbers)
        attach_counters(await stage.clients(rooms, self.carrier), tally)


@dataclass(frozen=True, slots=True)
class ConnectStorm:
    """Connections made as fast as the server takes them, 100 at a time: handshake, JWT, one subscription."""

    name: str = "connect-storm"
    summary: str = "new connections, handshake, JWT and one subscription each, 100 at a time"

    async def run(self, stage: Stage) -> list[Figure]:
        """Measure from the first SYN to the last subscribe reply."""
        warm = [stage.hello({"channel": f"warm{number}"}) for number in range(FIRST_CONNECTIONS)]
        stage.keep(await open_clients(stage.address, warm))
        hellos = [stage.hello({"channel": f"own{number}"}) for number in range(stage.scale.storm)]
        await stage.settle()
        _, figures = await _measure_storm(stage, "connection", hellos)
        return figures


async def _measure_storm(stage: Stage, what: str, hellos: Sequence[list[Reply]]) -> tuple[list[Client], list[Figure]]:
    latencies, meter = Latencies(), stage.meter()
    clients = await open_clients(stage.address, hellos, on_open=lambda seconds: latencies.add(round(seconds * 1e6)))
    meter.stop()
    figures = [
        cpu_per(what, meter.cpu_ns, len(clients)),
        throughput(f"{what}s", len(clients), meter.seconds),
        *latency_figures(what, latencies),
    ]
    return stage.keep(clients), figures


@dataclass(frozen=True, slots=True)
class ReconnectStorm:
    """All connections drop, miss some publications, come back at once and recover them."""

    name: str = "reconnect-storm"
    summary: str = f"all connections drop, then reconnect with recovery of {MISSED} publications, 100 at a time"

    async def run(self, stage: Stage) -> list[Figure]:
        """Measure from the first SYN of those who return to the last subscribe reply with what it recovers."""
        channel, count = f"{RECOVERED}:storm", stage.scale.storm
        clients = await open_clients(stage.address, [stage.hello({"channel": channel}) for _ in range(count)])
        position = clients[0].replies[2]["subscribe"]
        abort_all(clients)
        await stage.settle()
        api = await stage.api()
        for _ in range(MISSED):
            await api.post(PUBLISH, publish_body(channel, stamped()))
        wish = {"channel": channel, "recover": True, "epoch": position["epoch"], "offset": position.get("offset", 0)}
        clients, figures = await _measure_storm(stage, "reconnection", [stage.hello(wish) for _ in range(count)])
        for client in clients:
            _check_recovered(client.replies[2]["subscribe"])
        return figures


def _check_recovered(result: Reply) -> None:
    recovered = len(result.get("publications", ()))
    if not result.get("recovered") or recovered != MISSED:
        raise BenchError(f"{recovered} publications recovered instead of {MISSED}")
