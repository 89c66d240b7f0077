"""Publishing through an API to channels without subscribers."""

import asyncio
from dataclasses import dataclass
from typing import Final

from fanjet.bench.clients.http_api import HTTP_API, ApiCaller, ApiDoor
from fanjet.bench.measurement.figures import Figure, cpu_per, latency_figures, throughput
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.environment import Stage
from fanjet.bench.workload.closed_loops import ApiLoop, stop_all, total
from fanjet.bench.workload.payload import stamped

CONNECTIONS: Final = 8
CHANNELS: Final = 100


@dataclass(frozen=True, slots=True)
class ApiPublish:
    """Eight connections publish to 100 channels in turn, each as soon as its last request is answered."""

    name: str
    summary: str
    namespace: str = ""
    batch: int = 1
    door: ApiDoor = HTTP_API

    async def run(self, stage: Stage) -> list[Figure]:
        """Measure whole requests."""
        apis = [await stage.caller(self.door) for _ in range(CONNECTIONS)]
        await self._publish(apis, Latencies(), stage.scale.warm_up)
        await stage.settle()
        latencies, meter = Latencies(), stage.meter()
        requests = await self._publish(apis, latencies, stage.scale.seconds)
        meter.stop()
        return [
            cpu_per("publish", meter.cpu_ns, requests * self.batch),
            throughput("publishes", requests * self.batch, meter.seconds),
            *latency_figures("request", latencies),
        ]

    async def _publish(self, apis: list[ApiCaller], latencies: Latencies, seconds: float) -> int:
        """Publish for that long; return the number of requests."""
        path = self.door.publish if self.batch == 1 else self.door.batch
        loops = [ApiLoop(api, path, self._bodies(turn), latencies) for turn, api in enumerate(apis)]
        for loop in loops:
            loop.start()
        await asyncio.sleep(seconds)
        await stop_all(loops)
        return total(loops)

    def _bodies(self, turn: int) -> "Bodies":
        prefix = f"{self.namespace}:" if self.namespace else ""
        singles = [self.door.publish_body(f"{prefix}quiet{number}", stamped()) for number in range(CHANNELS)]
        if self.batch == 1:
            return Bodies(singles, turn)
        batches = ((singles * 2)[start : start + self.batch] for start in range(0, CHANNELS, 10))
        return Bodies([self.door.batch_body(batch) for batch in batches], turn)


class Bodies:
    """Prebuilt bodies, handed out round and round."""

    def __init__(self, bodies: list[bytes], turn: int) -> None:
        self._bodies = bodies
        self._turn = turn

    def __call__(self) -> bytes:
        """Return the next one."""
        self._turn += 1
        return self._bodies[self._turn % len(self._bodies)]
