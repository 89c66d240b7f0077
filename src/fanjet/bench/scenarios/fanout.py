"""One publication, many subscribers."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from fanjet.bench.clients.client import TIMEOUT
from fanjet.bench.clients.http_api import BATCH, PUBLISH, ApiConnection, batch_body, publish_body
from fanjet.bench.clients.receivers import Tally, attach_readers
from fanjet.bench.clients.transports import WEBSOCKET, Carrier
from fanjet.bench.measurement.figures import Figure, Unit, cpu_per, latency_figures, throughput
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.environment import Meter, Stage
from fanjet.bench.workload.closed_loops import ApiLoop
from fanjet.bench.workload.payload import stamped

MAX_BEHIND: Final = 64
"""Publications that the slowest reader may be behind before the publisher waits."""


@dataclass(frozen=True, slots=True)
class FanOut:
    """Publish to one channel with many subscribers: every `interval` seconds, or with 0 as fast as answers come."""

    name: str
    summary: str
    channel: str = "fan"
    interval: float = 0.0
    subscribers: int = 1000
    """At most: fewer on a smaller scale."""
    batch: int = 1
    carrier: Carrier = WEBSOCKET

    async def run(self, stage: Stage) -> list[Figure]:
        """Measure from the first publication to the last delivery."""
        count = min(self.subscribers, stage.scale.encrypted if stage.certificate else stage.scale.subscribers)
        clients = await stage.clients(([{"channel": self.channel}] for _ in range(count)), self.carrier)
        tally, latencies = Tally(), Latencies()
        attach_readers(clients, tally, latencies)
        api = await stage.api()
        await self._publish(api, tally, count, stage.scale.warm_up)
        await stage.settle()
        latencies.clear()
        warmed_up, meter = tally.count, stage.meter()
        await self._publish(api, tally, count, stage.scale.seconds)
        meter.stop()
        figures = delivery_figures(meter, tally.count - warmed_up, latencies)
        return figures if self.carrier.quic else [*figures, _writes_figure(meter, tally.count - warmed_up)]

    async def _publish(self, api: ApiConnection, tally: Tally, subscribers: int, seconds: float) -> None:
        """Publish for that long and wait until everything has arrived."""
        published, before = 0, tally.count

        async def publish() -> None:
            nonlocal published
            await tally.reach(before + max(0, published - MAX_BEHIND) * subscribers, TIMEOUT)
            await self._request(api)
            published += self.batch

        await every(self.interval, seconds, publish)
        await tally.reach(before + published * subscribers, TIMEOUT)

    async def _request(self, api: ApiConnection) -> None:
        bodies = [publish_body(self.channel, stamped()) for _ in range(self.batch)]
        await (api.post(PUBLISH, bodies[0]) if self.batch == 1 else api.post(BATCH, batch_body(bodies)))


async def every(interval: float, seconds: float, action: Callable[[], Awaitable[None]]) -> None:
    """Do `action` on a schedule that does not shift when one takes long; with interval 0 again and again."""
    clock = asyncio.get_running_loop().time
    start = due = clock()
    while due < start + seconds:
        await action()
        due = due + interval if interval else clock()
        await asyncio.sleep(max(0.0, due - clock()) if interval else 0)


def delivery_figures(meter: Meter, delivered: int, latencies: Latencies) -> list[Figure]:
    """Return the figures of a scenario that delivers messages."""
    return [
        cpu_per("delivered message", meter.cpu_ns, delivered),
        throughput("delivered messages", delivered, meter.seconds),
        *latency_figures("delivery", latencies),
    ]


def _writes_figure(meter: Meter, delivered: int) -> Figure:
    """Tell how much is sent together, as by a server that is behind. Datagrams are not counted."""
    return Figure("writes per message", meter.writes / max(1, delivered), Unit.TIMES)


@dataclass(frozen=True, slots=True)
class ManyChannels:
    """Publish through the API, round and round, to as many channels as there are clients, ten subscribers each."""

    name: str = "many-channels"
    summary: str = "1000 channels x 10 subscribers, published back to back, the API's cost included"

    async def run(self, stage: Stage) -> list[Figure]:
        """Measure from the first publication to the last delivery."""
        count = stage.scale.subscribers
        clients = await stage.clients(
            [{"channel": f"c{channel}"} for channel in _ten_of(count, i)] for i in range(count)
        )
        tally, latencies = Tally(), Latencies()
        attach_readers(clients, tally, latencies)
        api = await stage.api()
        await _publish_around(api, count, tally, stage.scale.warm_up)
        await stage.settle()
        latencies.clear()
        warmed_up, meter = tally.count, stage.meter()
        await _publish_around(api, count, tally, stage.scale.seconds)
        meter.stop()
        delivered = tally.count - warmed_up
        return [*delivery_figures(meter, delivered, latencies), _writes_figure(meter, delivered)]


def _ten_of(count: int, index: int) -> range:
    """Return the ten channels of client `index`, such that every channel has ten clients."""
    return range(index // 10, count, count // 10)


async def _publish_around(api: ApiConnection, channels: int, tally: Tally, seconds: float) -> None:
    turn = 0

    def next_body() -> bytes:
        nonlocal turn
        turn += 1
        return publish_body(f"c{turn % channels}", stamped())

    before = tally.count
    loop = ApiLoop(api, PUBLISH, next_body, Latencies())
    loop.start()
    await asyncio.sleep(seconds)
    await loop.stop()
    await tally.reach(before + 10 * loop.operations, TIMEOUT)
