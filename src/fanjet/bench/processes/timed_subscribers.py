"""Clients whose deliveries are timed, in a process of their own: the generator is busy with those who come and go.

    python -m fanjet.bench.processes.timed_subscribers HOST PORT CHANNEL...

One client subscribes to each channel. The process says "ready", notes under each line that it reads how long deliveries
take from then on (an empty line: nothing), and when its input ends prints what it has noted as JSON. It has a higher
priority where it may raise it.
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
from ..clients.reconnecting import Balancer, Book, Crowd, Returning
from ..clients.tokens import connection_token
from ..errors import BenchError
from ..measurement.latency import Latencies
from ..settings import TOKEN_SECRET

LIMIT: Final = 2**24
"""Bytes of what is printed in the end."""


class Watchers:
    """The generator's side of the process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Note latencies under this name meanwhile."""
        self._tell(name)
        yield
        self._tell("")

    def _tell(self, name: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(name.encode() + b"\n")

    async def finish(self) -> dict[str, Latencies]:
        """End the process; return what it has noted. Raises `BenchError` when that failed."""
        output, errors = await asyncio.wait_for(self._process.communicate(b""), TIMEOUT)
        if self._process.returncode != 0:
            raise BenchError(f"the clients that are timed failed: {errors.decode().splitlines()[-1]}")
        return {name: Latencies(sample) for name, sample in json.loads(output).items()}


@contextlib.asynccontextmanager
async def watching(address: Address, channels: Sequence[str]) -> AsyncIterator[Watchers]:
    """Start the process and wait until its clients are subscribed; end it afterwards in any case."""
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
        yield Watchers(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


# What the process does.


async def _watch(address: Address, channels: Sequence[str]) -> dict[str, list[int]]:
    noted: dict[str, list[int]] = defaultdict(list)
    balancer, book = Balancer([address]), Book()
    clients = [
        Returning(connection_token(f"watcher-{number}", TOKEN_SECRET), channel, balancer, book)
        for number, channel in enumerate(channels)
    ]
    crowd = Crowd(book)
    try:
        await crowd.add(clients, address)
        print("ready", flush=True)  # noqa: T201
        async for name in _lines():
            latencies = Latencies(noted[name]) if name else None
            for client in clients:
                client.latencies = latencies
    finally:
        await crowd.close()
    return noted


async def _lines() -> AsyncIterator[str]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        yield line.decode().rstrip("\n")


def main() -> None:
    """Watch until the input ends."""
    host, port, *channels = sys.argv[1:]
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        noted = runner.run(_watch((host, int(port)), channels))
    print(json.dumps(noted))  # noqa: T201


if __name__ == "__main__":
    main()
