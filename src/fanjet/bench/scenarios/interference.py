"""Scenarios for the effect of other clients on one client.

The other clients are slow consumers, a large fan-out, or a delta computation.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fanjet.bench.clients.client import TIMEOUT, Client, open_client
from fanjet.bench.clients.http_api import PUBLISH, publish_body
from fanjet.bench.clients.receivers import MessageCounter, attach_counters, attach_readers
from fanjet.bench.environment import Environment
from fanjet.bench.measurement.figures import Figure, Unit, cpu_per, latency_figures, throughput
from fanjet.bench.measurement.latency import Latencies
from fanjet.bench.payload import now_us, timestamped_payload
from fanjet.bench.processes.probe_runner import connected_probe
from fanjet.bench.settings import PATCHED

from .fanout import run_every

SLOW_CLIENTS: Final = 20
PAYLOAD_SIZE: Final = 16_384
"""Size of a publication in bytes."""

CLOSE_WAIT: Final = 3.0
"""Timeout in seconds for a slow consumer to see its close once it reads again."""


@dataclass(frozen=True, slots=True)
class SlowConsumers:
    """16 KB every 10 ms to fast subscribers, without and with slow consumers.

    The fast subscribers are alone first.
    """

    name: str = "slow-consumers"
    summary: str = f"16 KB every 10 ms to 100 subscribers, without and with {SLOW_CLIENTS} more that do not read"

    async def run(self, env: Environment) -> list[Figure]:
        """Measure the latencies of fast clients twice, then count the closed clients.

        These are the slow consumers that the server has closed.
        """
        fast = await env.clients([{"channel": "fan"}] for _ in range(100))
        counter, latencies = MessageCounter(), Latencies()
        attach_readers(fast, counter, latencies)
        await self._publish(env, counter, env.scale.warm_up)
        latencies.clear()
        await self._publish(env, counter, env.scale.seconds)
        alone = latency_figures("delivery, alone,", latencies)
        slow = await _open_slow_clients(env)
        latencies.clear()
        meter, before = env.meter(), counter.count
        await self._publish(env, counter, env.scale.seconds)
        meter.stop()
        return [
            *alone,
            *latency_figures("delivery, beside slow ones,", latencies),
            cpu_per("message delivered to a fast one", meter.cpu_ns, counter.count - before),
            Figure("slow consumers closed", await _count_closed(slow), Unit.COUNT),
        ]

    async def _publish(self, env: Environment, counter: MessageCounter, seconds: float) -> None:
        api = await env.api()
        before, published = counter.count, 0

        async def publish() -> None:
            nonlocal published
            await api.post(PUBLISH, publish_body("fan", timestamped_payload("x" * PAYLOAD_SIZE)))
            published += 1

        await run_every(0.01, seconds, publish)
        await counter.wait_for_count(before + 100 * published, TIMEOUT)


async def _open_slow_clients(env: Environment) -> list[Client]:
    clients = []
    for _ in range(SLOW_CLIENTS):
        client = await open_client(env.address, env.hello({"channel": "fan"}), slow=True)
        client.transport.pause_reading()
        clients.append(client)
    return env.track(clients)


async def _count_closed(clients: list[Client]) -> int:
    """Resume reading on the slow clients and return the number of closed connections."""
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
    """A client's commands during a large fan-out.

    Each publication follows the last delivery of the previous one.
    """

    name: str = "busy-command"
    summary: str = "latency of another client's command while 10 000 subscribers are served"

    async def run(self, env: Environment) -> list[Figure]:
        """Measure command latency from the first publication to the last delivery."""
        count = env.scale.connections
        counter = MessageCounter()
        attach_readers(await env.clients([{"channel": "fan"}] for _ in range(count)), counter, Latencies())
        api = await env.api()
        await env.settle()

        async def publish() -> None:
            goal = counter.count + count
            await api.post(PUBLISH, publish_body("fan", timestamped_payload()))
            await counter.wait_for_count(goal, TIMEOUT)

        await publish()
        async with connected_probe(env) as probe:
            before, meter = counter.count, env.meter()
            async with probe.probing():
                await run_every(0, env.scale.seconds, publish)
                meter.stop()
        return [
            *latency_figures("command", probe.latencies()),
            cpu_per("delivered message", meter.cpu_ns, counter.count - before),
            throughput("delivered messages", counter.count - before, meter.seconds),
        ]


@dataclass(frozen=True, slots=True)
class DeltaPublication:
    """20 KB with delta every 50 ms.

    It measures how long another client's command has to wait for the delta computation.
    """

    name: str
    summary: str
    changed: int
    """Number of the 400 rows that change between publications."""

    INTERVAL = 0.05

    async def run(self, env: Environment) -> list[Figure]:
        """Measure command latency around each publication."""
        channel = f"{PATCHED}:board"
        clients = await env.clients([{"channel": channel, "delta": "fossil"}] for _ in range(100))
        counter = MessageCounter()
        attach_counters(clients, counter, b'"pub"')
        api = await env.api()
        next_board = _boards(self.changed)
        publish_times: list[int] = []

        async def publish() -> None:
            body = publish_body(channel, next_board())
            publish_times.append(now_us())
            await api.post(PUBLISH, body)

        await run_every(self.INTERVAL, env.scale.warm_up, publish)
        publish_times.clear()
        before = counter.count
        async with connected_probe(env) as probe, probe.probing():
            await run_every(self.INTERVAL, env.scale.seconds, publish)
        await counter.wait_for_count(before + 100 * len(publish_times), TIMEOUT)
        delays = probe.worst_during(publish_times, round(self.INTERVAL * 1e6))
        return [
            *latency_figures("command", probe.latencies()),
            *latency_figures("longest wait per publication", delays),
        ]


def _boards(changed: int) -> Callable[[], bytes]:
    """Return a source of 20 KB payloads of 400 rows.

    `changed` rows differ from the previous payload.
    """
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
