"""Scenarios for the cost of several workers and their shared engine.

The cost is compared with that of one process.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, cycle
from typing import Final, NamedTuple

from fanjet.bench.clients.client import TIMEOUT, Client
from fanjet.bench.clients.http_api import BATCH, PUBLISH, batch_body, publish_body
from fanjet.bench.clients.receivers import MessageCounter, attach_readers
from fanjet.bench.clients.websocket import text_frame
from fanjet.bench.environment import Environment
from fanjet.bench.measurement.figures import Figure, Unit, throughput
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.payload import timestamped_payload
from fanjet.bench.workload.fixed_rate import ApiPool, run_at_rate

WORKERS: Final = 2
SUBSCRIBER_COUNTS: Final = (10, 100, 400)
"""Subscribers per channel."""
CONNECTIONS: Final = 32
"""Connections to the API."""
MAX_PUBLISH_RATE: Final = 10_000
MAX_DELIVERY_RATE: Final = 100_000
"""Rates per second; the lower one applies. At this rate one process is busy, and two are half as busy."""
MAX_BATCH_DELIVERY_RATE: Final = 1_000_000
"""The rate for batches, whose deliveries cost a tenth."""
MAX_OUTSTANDING: Final = 10_000
"""Maximum number of outstanding deliveries before publishing pauses."""

Publish = Callable[[], int]
"""Publishes; returns the number of publications, 0 if it could not publish now."""


class Measurement(NamedTuple):
    """The work of one server and its CPU time."""

    published: int
    delivered: int
    seconds: float
    serving_ns: int
    engine_ns: int
    writes: int
    latencies: Latencies


@dataclass(frozen=True, slots=True)
class Workers:
    """Publishes at the same rate to clients of one process and of several workers.

    It also publishes to one process at the rate of one worker: a busier process handles more in one event loop turn and
    batches more into one write.
    """

    name: str
    summary: str
    batch: int = 1
    by_clients: bool = False
    prefix: str = ""
    """Prefix of the channels: a namespace with history."""

    async def run(self, env: Environment) -> list[Figure]:
        """Measure one process and several workers for each number of subscribers."""
        figures: list[Figure] = []
        async with env.with_workers(WORKERS) as workers_env:
            for subscribers in sorted({min(each, env.scale.subscribers) for each in SUBSCRIBER_COUNTS}):
                single = await self._measure(env, subscribers)
                single_partial = await self._measure(env, subscribers, 1 / WORKERS)
                workers = await self._measure(workers_env, subscribers)
                figures += _figures(subscribers, single, single_partial, workers)
        return figures

    async def _measure(self, env: Environment, subscribers: int, share: float = 1.0) -> Measurement:
        """Measure with a fixed number of connections.

        Each channel has `subscribers` of them.
        """
        connections = min(max(SUBSCRIBER_COUNTS), env.scale.subscribers)
        channels = [f"{self.prefix}of-{subscribers}-{number}" for number in range(connections // subscribers)]
        clients = await env.clients([{"channel": channel}] for channel in channels for _ in range(subscribers))
        counter, latencies = MessageCounter(), Latencies()
        attach_readers(clients, counter, latencies)
        pool = ApiPool([] if self.by_clients else [await env.api() for _ in range(CONNECTIONS)])
        publish = self._by_clients(clients, channels) if self.by_clients else self._by_api(pool, channels)
        max_rate = MAX_DELIVERY_RATE if self.batch == 1 else MAX_BATCH_DELIVERY_RATE
        rate = share * min(MAX_PUBLISH_RATE, max_rate / subscribers)

        async def publishing(seconds: float) -> int:
            before = counter.count
            published = 0

            def action() -> bool:
                nonlocal published
                if before + published * subscribers - counter.count > max(MAX_OUTSTANDING, subscribers * self.batch):
                    return False
                done = publish()
                published += done
                return done > 0

            await run_at_rate(rate / self.batch, seconds, action)
            await counter.wait_for_count(before + published * subscribers, TIMEOUT)
            await pool.drain()
            return published

        await publishing(env.scale.warm_up)
        await env.settle()
        latencies.clear()
        meter, engine_before = env.meter(), env.tree.cpu_ns_of("engine")
        published = await publishing(env.scale.seconds)
        meter.stop()
        engine_ns = env.tree.cpu_ns_of("engine") - engine_before
        await env.close()
        delivered = published * subscribers
        return Measurement(
            published, delivered, meter.seconds, meter.cpu_ns - engine_ns, engine_ns, meter.writes, latencies
        )

    def _by_api(self, pool: ApiPool, channels: list[str]) -> Publish:
        turn = cycle(channels)

        def publish() -> int:
            bodies = [publish_body(next(turn), timestamped_payload()) for _ in range(self.batch)]
            path, body = (PUBLISH, bodies[0]) if self.batch == 1 else (BATCH, batch_body(bodies))
            return self.batch if pool.request(path, body) else 0

        return publish

    def _by_clients(self, clients: list[Client], channels: list[str]) -> Publish:
        """Publish from the subscribers, never twice in a row from the same one."""
        subscribers = len(clients) // len(channels)
        members = (zip(clients[member::subscribers], channels, strict=True) for member in range(subscribers))
        turn = cycle(chain.from_iterable(members))

        def publish() -> int:
            client, channel = next(turn)
            command = b'{"id":99,"publish":{"channel":"%s","data":%s}}' % (channel.encode(), timestamped_payload())
            client.transport.write(text_frame(command))
            return 1

        return publish


def _figures(subscribers: int, single: Measurement, single_partial: Measurement, workers: Measurement) -> list[Figure]:
    label = f"{subscribers} subscribers"
    writes, all_writes = (cost.writes / max(1, cost.delivered) for cost in (single, workers))
    one, busy, all_of_them = (
        cost.serving_ns / 1000 / max(1, cost.delivered) for cost in (single, single_partial, workers)
    )
    engine = workers.engine_ns / 1000 / max(1, workers.published)
    return [
        Figure(f"{label}, one process, CPU per message", one, Unit.MICROSECONDS),
        Figure(f"{label}, one process with 1/{WORKERS} of it, CPU per message", busy, Unit.MICROSECONDS),
        Figure(f"{label}, {WORKERS} workers, CPU per message", all_of_them, Unit.MICROSECONDS),
        Figure(f"{label}, one process, writes per message", writes, Unit.TIMES),
        Figure(f"{label}, {WORKERS} workers, writes per message", all_writes, Unit.TIMES),
        Figure(f"{label}, {WORKERS} workers deliver, at the same rate", WORKERS * one / all_of_them, Unit.TIMES),
        Figure(f"{label}, {WORKERS} workers deliver, each as busy", WORKERS * busy / all_of_them, Unit.TIMES),
        Figure(f"{label}, engine, CPU per publish", engine, Unit.MICROSECONDS),
        Figure(
            f"{label}, engine, of what a worker uses",
            100 * WORKERS * workers.engine_ns / max(1, workers.serving_ns),
            Unit.PERCENT,
        ),
        throughput(f"{label}, publishes", workers.published, workers.seconds),
        Figure(f"{label}, one process, delivery p50", single.latencies.quantile(0.5), Unit.MILLISECONDS),
        Figure(f"{label}, {WORKERS} workers, delivery p50", workers.latencies.quantile(0.5), Unit.MILLISECONDS),
    ]
