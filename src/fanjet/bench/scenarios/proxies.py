"""What it costs to ask a backend."""

from dataclasses import dataclass
from typing import Final

from fanjet.bench.clients.client import Reply, open_clients
from fanjet.bench.measurement.figures import Figure, Unit, cpu_per, latency_figures, throughput
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.processes.backend import backend_of
from fanjet.bench.environment import Stage

IN_FLIGHT: Final = 32
WARM_UP: Final = 100
ANONYMOUS: Final[list[Reply]] = [{"id": 1, "connect": {}}]
"""Without token, so that the backend says who this is."""


@dataclass(frozen=True, slots=True)
class ConnectProxy:
    """The same connections twice: with a token, and by asking the backend over HTTP."""

    name: str = "connect-proxy"
    summary: str = f"new connections with JWT, then by a connect proxy over HTTP, {IN_FLIGHT} at a time"

    async def run(self, stage: Stage) -> list[Figure]:
        """Measure from the first SYN to the last connect reply, both ways."""
        count = stage.scale.storm
        async with backend_of(stage.address):
            for hellos in ([stage.hello() for _ in range(WARM_UP)], [ANONYMOUS] * WARM_UP):
                stage.keep(await open_clients(stage.address, hellos, in_flight=IN_FLIGHT))
            by_token = await _measure(stage, "connection with JWT", [stage.hello() for _ in range(count)])
            by_backend = await _measure(stage, "connection by proxy", [ANONYMOUS] * count)
        added = by_backend[0].value - by_token[0].value
        return [*by_token, *by_backend, Figure("CPU added by the proxy", added, Unit.MICROSECONDS)]


async def _measure(stage: Stage, what: str, hellos: list[list[Reply]]) -> list[Figure]:
    await stage.settle()
    latencies, meter = Latencies(), stage.meter()
    opened = await open_clients(
        stage.address, hellos, in_flight=IN_FLIGHT, on_open=lambda seconds: latencies.add(round(seconds * 1e6))
    )
    meter.stop()
    stage.keep(opened)
    return [
        cpu_per(what, meter.cpu_ns, len(opened)),
        throughput(f"{what}, rate", len(opened), meter.seconds),
        *latency_figures(what, latencies),
    ]
