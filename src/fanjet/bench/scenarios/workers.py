"""What several workers cost beside one process, and the engine that they share."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, cycle
from typing import Final, NamedTuple

from fanjet.bench.clients.client import TIMEOUT, Client
from fanjet.bench.clients.http_api import BATCH, PUBLISH, batch_body, publish_body
from fanjet.bench.clients.receivers import Tally, attach_readers
from fanjet.bench.clients.websocket import text_frame
from fanjet.bench.measurement.figures import Figure, Unit, throughput
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.environment import Stage
from fanjet.bench.workload.fixed_rate import Pool, at_rate
from fanjet.bench.workload.payload import stamped

WORKERS: Final = 2
AUDIENCES: Final = (10, 100, 400)
"""Subscribers of a channel."""
CONNECTIONS: Final = 32
"""To the API."""
MOST_PUBLISHES: Final = 10_000
MOST_DELIVERIES: Final = 100_000
"""A second, whichever of both is less: where one process is busy with that, two are half as busy."""
MOST_IN_BATCHES: Final = 1_000_000
"""The same of what costs a tenth."""
MOST_BEHIND: Final = 10_000
"""Deliveries that may be missing before nothing more is published."""

Action = Callable[[], int]
"""Publishes something; returns how many publications, 0 if it could not be done."""


class Cost(NamedTuple):
    """What was done on one server, and the CPU time that it took."""

    published: int
    delivered: int
    seconds: float
    serving_ns: int
    engine_ns: int
    writes: int
    latencies: Latencies


@dataclass(frozen=True, slots=True)
class Workers:
    """The same publications to clients of one process and of several, at the same rate, and to those of one process as
    many as each of several has to do with: who is busier has more to carry out in one turn, and to put in one write."""

    name: str
    summary: str
    batch: int = 1
    by_clients: bool = False
    prefix: str = ""
    """Of the channels: with a namespace, for history."""

    async def run(self, stage: Stage) -> list[Figure]:
        """Measure one process and several, with each number of subscribers."""
        figures: list[Figure] = []
        async with stage.with_workers(WORKERS) as several:
            for audience in sorted({min(each, stage.scale.subscribers) for each in AUDIENCES}):
                alone = await self._measure(stage, audience)
                as_busy = await self._measure(stage, audience, 1 / WORKERS)
                together = await self._measure(several, audience)
                figures += _figures(audience, alone, as_busy, together)
        return figures

    async def _measure(self, stage: Stage, audience: int, share: float = 1.0) -> Cost:
        """There are as many connections in each case; a channel has `audience` of them."""
        crowd = min(max(AUDIENCES), stage.scale.subscribers)
        channels = [f"{self.prefix}of-{audience}-{number}" for number in range(crowd // audience)]
        clients = await stage.clients([{"channel": channel}] for channel in channels for _ in range(audience))
        tally, latencies = Tally(), Latencies()
        attach_readers(clients, tally, latencies)
        pool = Pool([] if self.by_clients else [await stage.api() for _ in range(CONNECTIONS)])
        publish = self._by_clients(clients, channels) if self.by_clients else self._by_api(pool, channels)
        most = MOST_DELIVERIES if self.batch == 1 else MOST_IN_BATCHES
        rate = share * min(MOST_PUBLISHES, most / audience)

        async def publishing(seconds: float) -> int:
            before = tally.count
            published = 0

            def action() -> bool:
                nonlocal published
                if before + published * audience - tally.count > max(MOST_BEHIND, audience * self.batch):
                    return False
                done = publish()
                published += done
                return done > 0

            await at_rate(rate / self.batch, seconds, action)
            await tally.reach(before + published * audience, TIMEOUT)
            await pool.answered()
            return published

        await publishing(stage.scale.warm_up)
        await stage.settle()
        latencies.clear()
        meter, engine_before = stage.meter(), stage.tree.cpu_ns_of("engine")
        published = await publishing(stage.scale.seconds)
        meter.stop()
        engine_ns = stage.tree.cpu_ns_of("engine") - engine_before
        await stage.close()
        delivered = published * audience
        return Cost(published, delivered, meter.seconds, meter.cpu_ns - engine_ns, engine_ns, meter.writes, latencies)

    def _by_api(self, pool: Pool, channels: list[str]) -> Action:
        turn = cycle(channels)

        def publish() -> int:
            bodies = [publish_body(next(turn), stamped()) for _ in range(self.batch)]
            path, body = (PUBLISH, bodies[0]) if self.batch == 1 else (BATCH, batch_body(bodies))
            return self.batch if pool.request(path, body) else 0

        return publish

    def _by_clients(self, clients: list[Client], channels: list[str]) -> Action:
        """Publishers are subscribed themselves; none comes twice in a row."""
        audience = len(clients) // len(channels)
        members = (zip(clients[member::audience], channels, strict=True) for member in range(audience))
        turn = cycle(chain.from_iterable(members))

        def publish() -> int:
            client, channel = next(turn)
            command = b'{"id":99,"publish":{"channel":"%s","data":%s}}' % (channel.encode(), stamped())
            client.transport.write(text_frame(command))
            return 1

        return publish


def _figures(audience: int, alone: Cost, as_busy: Cost, together: Cost) -> list[Figure]:
    who = f"{audience} subscribers"
    writes, all_writes = (cost.writes / max(1, cost.delivered) for cost in (alone, together))
    one, busy, all_of_them = (cost.serving_ns / 1000 / max(1, cost.delivered) for cost in (alone, as_busy, together))
    engine = together.engine_ns / 1000 / max(1, together.published)
    return [
        Figure(f"{who}, one process, CPU per message", one, Unit.MICROSECONDS),
        Figure(f"{who}, one process with 1/{WORKERS} of it, CPU per message", busy, Unit.MICROSECONDS),
        Figure(f"{who}, {WORKERS} workers, CPU per message", all_of_them, Unit.MICROSECONDS),
        Figure(f"{who}, one process, writes per message", writes, Unit.TIMES),
        Figure(f"{who}, {WORKERS} workers, writes per message", all_writes, Unit.TIMES),
        Figure(f"{who}, {WORKERS} workers deliver, at the same rate", WORKERS * one / all_of_them, Unit.TIMES),
        Figure(f"{who}, {WORKERS} workers deliver, each as busy", WORKERS * busy / all_of_them, Unit.TIMES),
        Figure(f"{who}, engine, CPU per publish", engine, Unit.MICROSECONDS),
        Figure(
            f"{who}, engine, of what a worker uses",
            100 * WORKERS * together.engine_ns / max(1, together.serving_ns),
            Unit.PERCENT,
        ),
        throughput(f"{who}, publishes", together.published, together.seconds),
        Figure(f"{who}, one process, delivery p50", alone.latencies.quantile(0.5), Unit.MILLISECONDS),
        Figure(f"{who}, {WORKERS} workers, delivery p50", together.latencies.quantile(0.5), Unit.MILLISECONDS),
    ]
