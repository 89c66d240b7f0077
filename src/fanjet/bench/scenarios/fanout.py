"""Scenarios: fan-out of publications to many subscribers."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from fanjet.bench.clients.client import TIMEOUT
from fanjet.bench.clients.http_api import BATCH, PUBLISH, ApiConnection, batch_body, publish_body
from fanjet.bench.clients.receivers import MessageCounter, attach_readers
from fanjet.bench.clients.transports import WEBSOCKET, TransportSpec
from fanjet.bench.environment import Environment, Meter
from fanjet.bench.measurement.figures import Figure, Unit, cpu_per, latency_figures, throughput
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.payload import timestamped_payload
from fanjet.bench.workload.closed_loops import ApiLoop

MAX_LAG: Final = 64
"""Maximum number of publications in flight before the publisher waits."""


@dataclass(frozen=True, slots=True)
class FanOut:
    """Publishes to one channel with many subscribers.

    A publication is sent every `interval` seconds, or with 0 back to back.
    """

    name: str
    summary: str
    channel: str = "fan"
    interval: float = 0.0
    subscribers: int = 1000
    """Upper limit; fewer on a smaller scale."""
    batch: int = 1
    transport_spec: TransportSpec = WEBSOCKET

    async def run(self, env: Environment) -> list[Figure]:
        """Measure from the first publication to the last delivery."""
        count = min(self.subscribers, env.scale.encrypted if env.certificate else env.scale.subscribers)
        clients = await env.clients(([{"channel": self.channel}] for _ in range(count)), self.transport_spec)
        counter, latencies = MessageCounter(), Latencies()
        attach_readers(clients, counter, latencies)
        api = await env.api()
        await self._publish(api, counter, count, env.scale.warm_up)
        await env.settle()
        latencies.clear()
        warmed_up, meter = counter.count, env.meter()
        await self._publish(api, counter, count, env.scale.seconds)
        meter.stop()
        figures = delivery_figures(meter, counter.count - warmed_up, latencies)
        return figures if self.transport_spec.quic else [*figures, _writes_figure(meter, counter.count - warmed_up)]

    async def _publish(self, api: ApiConnection, counter: MessageCounter, subscribers: int, seconds: float) -> None:
        """Publish for `seconds` and wait for all deliveries."""
        published, before = 0, counter.count

        async def publish() -> None:
            nonlocal published
            await counter.wait_for_count(before + max(0, published - MAX_LAG) * subscribers, TIMEOUT)
            await self._request(api)
            published += self.batch

        await run_every(self.interval, seconds, publish)
        await counter.wait_for_count(before + published * subscribers, TIMEOUT)

    async def _request(self, api: ApiConnection) -> None:
        bodies = [publish_body(self.channel, timestamped_payload()) for _ in range(self.batch)]
        await (api.post(PUBLISH, bodies[0]) if self.batch == 1 else api.post(BATCH, batch_body(bodies)))


async def run_every(interval: float, seconds: float, action: Callable[[], Awaitable[None]]) -> None:
    """Run `action` on a fixed schedule, or with interval 0 back to back.

    The schedule does not shift when one run is slow.
    """
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
    """Return the writes per message: below 1 if a busy server batches messages.

    Datagrams are not counted.
    """
    return Figure("writes per message", meter.writes / max(1, delivered), Unit.TIMES)


@dataclass(frozen=True, slots=True)
class ManyChannels:
    """Publishes through the API, round-robin, to as many channels as clients.

    Each channel has ten subscribers.
    """

    name: str = "many-channels"
    summary: str = "1000 channels x 10 subscribers, published back to back, the API's cost included"

    async def run(self, env: Environment) -> list[Figure]:
        """Measure from the first publication to the last delivery."""
        count = env.scale.subscribers
        clients = await env.clients([{"channel": f"c{channel}"} for channel in _ten_of(count, i)] for i in range(count))
        counter, latencies = MessageCounter(), Latencies()
        attach_readers(clients, counter, latencies)
        api = await env.api()
        await _publish_around(api, count, counter, env.scale.warm_up)
        await env.settle()
        latencies.clear()
        warmed_up, meter = counter.count, env.meter()
        await _publish_around(api, count, counter, env.scale.seconds)
        meter.stop()
        delivered = counter.count - warmed_up
        return [*delivery_figures(meter, delivered, latencies), _writes_figure(meter, delivered)]


def _ten_of(count: int, index: int) -> range:
    """Return the ten channels of client `index`.

    They are chosen so that every channel has ten clients.
    """
    return range(index // 10, count, count // 10)


async def _publish_around(api: ApiConnection, channels: int, counter: MessageCounter, seconds: float) -> None:
    turn = 0

    def next_body() -> bytes:
        nonlocal turn
        turn += 1
        return publish_body(f"c{turn % channels}", timestamped_payload())

    before = counter.count
    loop = ApiLoop(api, PUBLISH, next_body, Latencies())
    loop.start()
    await asyncio.sleep(seconds)
    await loop.stop()
    await counter.wait_for_count(before + 10 * loop.operations, TIMEOUT)
