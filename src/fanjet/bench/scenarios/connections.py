"""Scenarios: idle connections, connect storms and reconnect storms."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fanjet.bench.clients.client import Client, Reply, abort_all, open_clients
from fanjet.bench.clients.http_api import PUBLISH, publish_body
from fanjet.bench.clients.receivers import MessageCounter, attach_counters
from fanjet.bench.clients.transports import WEBSOCKET, TransportSpec
from fanjet.bench.environment import Environment
from fanjet.bench.errors import BenchError
from fanjet.bench.measurement.figures import Figure, Unit, cpu_per, latency_figures, throughput
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.payload import timestamped_payload
from fanjet.bench.settings import RECOVERED

FIRST_CONNECTIONS: Final = 100
"""Connections opened before the first memory reading, so that one-time allocations are not counted."""

MISSED: Final = 5
"""Publications that a returning connection recovers."""


@dataclass(frozen=True, slots=True)
class IdleConnections:
    """Idle connections with a token and one subscription.

    Each channel has `members` subscribers.
    """

    name: str
    summary: str
    members: int
    transport_spec: TransportSpec = WEBSOCKET

    async def run(self, env: Environment) -> list[Figure]:
        """Measure memory and CPU of idle connections.

        Memory is measured before the connections and after the idle time, CPU during the idle time.
        """
        counter = MessageCounter()
        await self._connect(env, counter, range(FIRST_CONNECTIONS))
        await env.settle()
        before = env.tree.memory()
        count = env.scale.connections // 2
        await self._connect(env, counter, range(FIRST_CONNECTIONS, FIRST_CONNECTIONS + count))
        await env.settle()
        meter = env.meter()
        await asyncio.sleep(env.scale.idle_seconds)
        meter.stop()
        after = env.tree.memory()
        if counter.lost:
            raise BenchError(f"{counter.lost} idle connections were closed by the server")
        connection_seconds = round((count + FIRST_CONNECTIONS) * meter.seconds)
        return [
            Figure("memory per connection (PSS)", (after.pss - before.pss) / count, Unit.BYTES),
            Figure("memory per connection (RSS)", (after.rss - before.rss) / count, Unit.BYTES),
            cpu_per("idle connection and second", meter.cpu_ns, connection_seconds),
        ]

    async def _connect(self, env: Environment, counter: MessageCounter, numbers: range) -> None:
        rooms = ([{"channel": f"room{number // self.members}"}] for number in numbers)
        attach_counters(await env.clients(rooms, self.transport_spec), counter)


@dataclass(frozen=True, slots=True)
class ConnectStorm:
    """Opens connections as fast as the server accepts them, 100 at a time.

    A connection takes a handshake, a JWT and one subscription.
    """

    name: str = "connect-storm"
    summary: str = "new connections, handshake, JWT and one subscription each, 100 at a time"

    async def run(self, env: Environment) -> list[Figure]:
        """Measure from the first SYN to the last subscribe reply."""
        warm = [env.hello({"channel": f"warm{number}"}) for number in range(FIRST_CONNECTIONS)]
        env.track(await open_clients(env.address, warm))
        hellos = [env.hello({"channel": f"own{number}"}) for number in range(env.scale.storm)]
        await env.settle()
        _, figures = await _measure_storm(env, "connection", hellos)
        return figures


async def _measure_storm(
    env: Environment, unit_name: str, hellos: Sequence[list[Reply]]
) -> tuple[list[Client], list[Figure]]:
    latencies, meter = Latencies(), env.meter()
    clients = await open_clients(env.address, hellos, on_open=lambda seconds: latencies.add(round(seconds * 1e6)))
    meter.stop()
    figures = [
        cpu_per(unit_name, meter.cpu_ns, len(clients)),
        throughput(f"{unit_name}s", len(clients), meter.seconds),
        *latency_figures(unit_name, latencies),
    ]
    return env.track(clients), figures


@dataclass(frozen=True, slots=True)
class ReconnectStorm:
    """All connections drop, reconnect at once and recover missed publications."""

    name: str = "reconnect-storm"
    summary: str = f"all connections drop, then reconnect with recovery of {MISSED} publications, 100 at a time"

    async def run(self, env: Environment) -> list[Figure]:
        """Measure the time to reconnect and recover.

        It lasts from the first SYN of the reconnects to the last subscribe reply with recovered publications.
        """
        channel, count = f"{RECOVERED}:storm", env.scale.storm
        clients = await open_clients(env.address, [env.hello({"channel": channel}) for _ in range(count)])
        position = clients[0].replies[2]["subscribe"]
        abort_all(clients)
        await env.settle()
        api = await env.api()
        for _ in range(MISSED):
            await api.post(PUBLISH, publish_body(channel, timestamped_payload()))
        wish = {"channel": channel, "recover": True, "epoch": position["epoch"], "offset": position.get("offset", 0)}
        clients, figures = await _measure_storm(env, "reconnection", [env.hello(wish) for _ in range(count)])
        for client in clients:
            _check_recovered(client.replies[2]["subscribe"])
        return figures


def _check_recovered(result: Reply) -> None:
    recovered = len(result.get("publications", ()))
    if not result.get("recovered") or recovered != MISSED:
        raise BenchError(f"{recovered} publications recovered instead of {MISSED}")
