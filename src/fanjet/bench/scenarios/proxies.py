"""Scenario: the cost of a connect proxy."""

from dataclasses import dataclass
from typing import Final

from fanjet.bench.clients.client import Reply, open_clients
from fanjet.bench.environment import Environment
from fanjet.bench.measurement.figures import Figure, Unit, cpu_per, latency_figures, throughput
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.processes.backend import running_backend

IN_FLIGHT: Final = 32
WARM_UP: Final = 100
ANONYMOUS: Final[list[Reply]] = [{"id": 1, "connect": {}}]
"""Without a token, so that the backend authenticates the client."""


@dataclass(frozen=True, slots=True)
class ConnectProxy:
    """The same connections twice: with a token, and with a connect proxy over HTTP."""

    name: str = "connect-proxy"
    summary: str = f"new connections with JWT, then by a connect proxy over HTTP, {IN_FLIGHT} at a time"

    async def run(self, env: Environment) -> list[Figure]:
        """Measure both from the first SYN to the last connect reply."""
        count = env.scale.storm
        async with running_backend(env.address):
            for hellos in ([env.hello() for _ in range(WARM_UP)], [ANONYMOUS] * WARM_UP):
                env.track(await open_clients(env.address, hellos, in_flight=IN_FLIGHT))
            by_token = await _measure(env, "connection with JWT", [env.hello() for _ in range(count)])
            by_backend = await _measure(env, "connection by proxy", [ANONYMOUS] * count)
        added = by_backend[0].value - by_token[0].value
        return [*by_token, *by_backend, Figure("CPU added by the proxy", added, Unit.MICROSECONDS)]


async def _measure(env: Environment, unit_name: str, hellos: list[list[Reply]]) -> list[Figure]:
    await env.settle()
    latencies, meter = Latencies(), env.meter()
    opened = await open_clients(
        env.address, hellos, in_flight=IN_FLIGHT, on_open=lambda seconds: latencies.add(round(seconds * 1e6))
    )
    meter.stop()
    env.track(opened)
    return [
        cpu_per(unit_name, meter.cpu_ns, len(opened)),
        throughput(f"{unit_name}, rate", len(opened), meter.seconds),
        *latency_figures(unit_name, latencies),
    ]
