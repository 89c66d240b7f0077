"""Scenario: publishing through an API to channels without subscribers."""

import asyncio
from dataclasses import dataclass
from typing import Final

from fanjet.bench.clients.http_api import HTTP_API, ApiCaller, ApiSpec
from fanjet.bench.environment import Environment
from fanjet.bench.measurement.figures import Figure, cpu_per, latency_figures, throughput
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.payload import timestamped_payload
from fanjet.bench.workload.closed_loops import ApiLoop, stop_all, total

CONNECTIONS: Final = 8
CHANNELS: Final = 100


@dataclass(frozen=True, slots=True)
class ApiPublish:
    """Eight connections publish to 100 channels in turn.

    Each one publishes as soon as its previous request is answered.
    """

    name: str
    summary: str
    namespace: str = ""
    batch: int = 1
    api_spec: ApiSpec = HTTP_API

    async def run(self, env: Environment) -> list[Figure]:
        """Measure requests."""
        apis = [await env.caller(self.api_spec) for _ in range(CONNECTIONS)]
        await self._publish(apis, Latencies(), env.scale.warm_up)
        await env.settle()
        latencies, meter = Latencies(), env.meter()
        requests = await self._publish(apis, latencies, env.scale.seconds)
        meter.stop()
        return [
            cpu_per("publish", meter.cpu_ns, requests * self.batch),
            throughput("publishes", requests * self.batch, meter.seconds),
            *latency_figures("request", latencies),
        ]

    async def _publish(self, apis: list[ApiCaller], latencies: Latencies, seconds: float) -> int:
        """Publish for `seconds`; return the number of requests."""
        path = self.api_spec.publish if self.batch == 1 else self.api_spec.batch
        loops = [ApiLoop(api, path, self._bodies(turn), latencies) for turn, api in enumerate(apis)]
        for loop in loops:
            loop.start()
        await asyncio.sleep(seconds)
        await stop_all(loops)
        return total(loops)

    def _bodies(self, turn: int) -> "Bodies":
        prefix = f"{self.namespace}:" if self.namespace else ""
        singles = [
            self.api_spec.publish_body(f"{prefix}quiet{number}", timestamped_payload()) for number in range(CHANNELS)
        ]
        if self.batch == 1:
            return Bodies(singles, turn)
        batches = ((singles * 2)[start : start + self.batch] for start in range(0, CHANNELS, 10))
        return Bodies([self.api_spec.batch_body(batch) for batch in batches], turn)


class Bodies:
    """Prebuilt bodies, returned round-robin."""

    def __init__(self, bodies: list[bytes], turn: int) -> None:
        self._bodies = bodies
        self._turn = turn

    def __call__(self) -> bytes:
        """Return the next body."""
        self._turn += 1
        return self._bodies[self._turn % len(self._bodies)]
