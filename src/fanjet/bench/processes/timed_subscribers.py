"""Subscribers with timed deliveries in a separate process.

The process is separate because the generator is busy with reconnects.

    python -m fanjet.bench.processes.timed_subscribers HOST PORT CHANNEL...

One client subscribes to each channel. The process prints "ready". Each input line names a phase: delivery latencies are
collected under this name until the next line (an empty line stops collecting). At the end of input it prints the
latencies as JSON. It runs with a higher priority if permitted.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

import uvloop

from ..clients.client import TIMEOUT, Address
from ..clients.reconnecting import Balancer, ClientGroup, DeliveryStats, ReconnectingClient
from ..clients.tokens import connection_token
from ..errors import BenchError
from ..measurement.latency import Latencies
from ..settings import TOKEN_SECRET

LIMIT: Final = 2**24
"""Maximum size of the output in bytes."""


class TimedSubscribers:
    """The generator's side of the process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Collect latencies under this name during the block."""
        self._send_line(name)
        yield
        self._send_line("")

    def _send_line(self, name: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(name.encode() + b"\n")

    async def finish(self) -> dict[str, Latencies]:
        """End the process and return latencies by phase.

        Raises `BenchError` when it has failed.
        """
        output, errors = await asyncio.wait_for(self._process.communicate(b""), TIMEOUT)
        if self._process.returncode != 0:
            raise BenchError(f"the clients that are timed failed: {errors.decode().splitlines()[-1]}")
        return {name: Latencies(sample) for name, sample in json.loads(output).items()}


@contextlib.asynccontextmanager
async def timed_subscribers(address: Address, channels: Sequence[str]) -> AsyncIterator[TimedSubscribers]:
    """Run the process with subscribed clients during the block.

    The block starts when the clients are subscribed; the process is stopped after it.
    """
    host, port = address
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fanjet.bench.processes.timed_subscribers", host, str(port), *channels),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LIMIT,
    )
    try:
        assert process.stdout is not None
        if await asyncio.wait_for(process.stdout.readline(), TIMEOUT) != b"ready\n":
            raise BenchError("the clients that are timed cannot connect")
        yield TimedSubscribers(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


# The code of the process.


async def _run_subscribers(address: Address, channels: Sequence[str]) -> dict[str, list[int]]:
    latencies_by_phase: dict[str, list[int]] = defaultdict(list)
    balancer, stats = Balancer([address]), DeliveryStats()
    clients = [
        ReconnectingClient(connection_token(f"watcher-{number}", TOKEN_SECRET), channel, balancer, stats)
        for number, channel in enumerate(channels)
    ]
    group = ClientGroup(stats)
    try:
        await group.add(clients, address)
        print("ready", flush=True)  # noqa: T201
        async for name in _lines():
            latencies = Latencies(latencies_by_phase[name]) if name else None
            for client in clients:
                client.latencies = latencies
    finally:
        await group.close()
    return latencies_by_phase


async def _lines() -> AsyncIterator[str]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        yield line.decode().rstrip("\n")


def main() -> None:
    """Run until the end of input."""
    host, port, *channels = sys.argv[1:]
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        latencies_by_phase = runner.run(_run_subscribers((host, int(port)), channels))
    print(json.dumps(latencies_by_phase))  # noqa: T201


if __name__ == "__main__":
    main()
