"""What one client notices of others: slow ones beside it, thousands being served, a large delta being computed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fanjet.bench.clients.client import TIMEOUT, Client, open_client
from fanjet.bench.clients.http_api import PUBLISH, publish_body
from fanjet.bench.clients.receivers import Tally, attach_counters, attach_readers
from fanjet.bench.measurement.figures import Figure, Unit, cpu_per, latency_figures, throughput
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.processes.probe_runner import connected_probe
from fanjet.bench.settings import PATCHED
from fanjet.bench.environment import Stage
from fanjet.bench.workload.payload import now_us, stamped

from .fanout import every

SLOW: Final = 20
SIZE: Final = 16_384
"""Bytes of a publication."""

CLOSE_WAIT: Final = 3.0
"""Seconds in which the close of a slow consumer must be seen once it reads again."""


@dataclass(frozen=True, slots=True)
class SlowConsumers:
    """16 KB every 10 ms to fast subscribers, first alone, then with slow ones among them."""

    name: str = "slow-consumers"
    summary: str = f"16 KB every 10 ms to 100 subscribers, without and with {SLOW} more that do not read"

    async def run(self, stage: Stage) -> list[Figure]:
        """Measure the fast ones' latencies twice; then count which slow ones the server has closed."""
        fast = await stage.clients([{"channel": "fan"}] for _ in range(100))
        tally, latencies = Tally(), Latencies()
        attach_readers(fast, tally, latencies)
        await self._publish(stage, tally, stage.scale.warm_up)
        latencies.clear()
        await self._publish(stage, tally, stage.scale.seconds)
        alone = latency_figures("delivery, alone,", latencies)
        slow = await _open_slow_clients(stage)
        latencies.clear()
        meter, before = stage.meter(), tally.count
        await self._publish(stage, tally, stage.scale.seconds)
        meter.stop()
        return [
            *alone,
            *latency_figures("delivery, beside slow ones,", latencies),
            cpu_per("message delivered to a fast one", meter.cpu_ns, tally.count - before),
            Figure("slow consumers closed", await _count_closed(slow), Unit.COUNT),
        ]

    async def _publish(self, stage: Stage, tally: Tally, seconds: float) -> None:
        api = await stage.api()
        before, published = tally.count, 0

        async def publish() -> None:
            nonlocal published
            await api.post(PUBLISH, publish_body("fan", stamped("x" * SIZE)))
            published += 1

        await every(0.01, seconds, publish)
        await tally.reach(before + 100 * published, TIMEOUT)


async def _open_slow_clients(stage: Stage) -> list[Client]:
    clients = []
    for _ in range(SLOW):
        client = await open_client(stage.address, stage.hello({"channel": "fan"}), slow=True)
        client.transport.pause_reading()
        clients.append(client)
    return stage.keep(clients)


async def _count_closed(clients: list[Client]) -> int:
    """Let the slow ones read again and return how many find themselves closed."""
    for client in clients:
        client.transport.resume_reading()
    deadline = asyncio.get_running_loop().time() + CLOSE_WAIT
    while asyncio.get_running_loop().time() < deadline:
        if all(client.transport.is_closing() for client in clients):
            break
        await asyncio.sleep(0.05)
    return sum(client.transport.is_closing() for client in clients)


@dataclass(frozen=True, slots=True)
class BusyCommand:
    """A client's commands while a crowd is being served: the next publication follows when the last one has arrived."""

    name: str = "busy-command"
    summary: str = "latency of another client's command while 10 000 subscribers are served"

    async def run(self, stage: Stage) -> list[Figure]:
        """Measure commands from the first publication to the last delivery."""
        count = stage.scale.crowd
        tally = Tally()
        attach_readers(await stage.clients([{"channel": "fan"}] for _ in range(count)), tally, Latencies())
        api = await stage.api()
        await stage.settle()

        async def publish() -> None:
            goal = tally.count + count
            await api.post(PUBLISH, publish_body("fan", stamped()))
            await tally.reach(goal, TIMEOUT)

        await publish()
        async with connected_probe(stage) as probe:
            before, meter = tally.count, stage.meter()
            async with probe.probing():
                await every(0, stage.scale.seconds, publish)
                meter.stop()
        return [
            *latency_figures("command", probe.latencies()),
            cpu_per("delivered message", meter.cpu_ns, tally.count - before),
            throughput("delivered messages", tally.count - before, meter.seconds),
        ]


@dataclass(frozen=True, slots=True)
class DeltaPublication:
    """20 KB with delta to a busy channel, every 50 ms: how long another client's command has to wait for it."""

    name: str
    summary: str
    changed: int
    """Rows of the 400 that differ from one publication to the next."""

    INTERVAL = 0.05

    async def run(self, stage: Stage) -> list[Figure]:
        """Measure commands around each publication."""
        channel = f"{PATCHED}:board"
        clients = await stage.clients([{"channel": channel, "delta": "fossil"}] for _ in range(100))
        tally = Tally()
        attach_counters(clients, tally, b'"pub"')
        api = await stage.api()
        next_board = _boards(self.changed)
        moments: list[int] = []

        async def publish() -> None:
            body = publish_body(channel, next_board())
            moments.append(now_us())
            await api.post(PUBLISH, body)

        await every(self.INTERVAL, stage.scale.warm_up, publish)
        moments.clear()
        before = tally.count
        async with connected_probe(stage) as probe, probe.probing():
            await every(self.INTERVAL, stage.scale.seconds, publish)
        await tally.reach(before + 100 * len(moments), TIMEOUT)
        held = probe.worst_during(moments, round(self.INTERVAL * 1e6))
        return [
            *latency_figures("command", probe.latencies()),
            *latency_figures("longest wait per publication", held),
        ]


def _boards(changed: int) -> Callable[[], bytes]:
    """Return a source of 20 KB payloads of 400 rows, each differing from the last in `changed` rows."""
    rows = [_row(number, 0) for number in range(400)]
    turn = 0

    def next_board() -> bytes:
        nonlocal turn
        turn += 1
        for step in range(changed):
            number = (turn * 7 + step * (400 // changed)) % 400
            rows[number] = _row(number, turn)
        return b'{"rows":[' + b",".join(rows) + b"]}"

    return next_board


def _row(number: int, turn: int) -> bytes:
    price = (number * 2_654_435_761 + turn * 40_503) % 1_000_000_007
    volume = price * 31 % 1_000_000_007
    return b'{"id":%d,"price":%d,"volume":%d}' % (100 + number, 10**9 + price, 10**9 + volume)
