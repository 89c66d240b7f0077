"""Starts and stops the probe process and reads its samples."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec

from ..clients.client import TIMEOUT
from ..environment import Environment
from ..errors import BenchError
from ..measurement.latency import Latencies


class Sample(NamedTuple):
    """A command: its send time, and the latency of its reply in microseconds."""

    sent: int
    latency: int


class Probe:
    """A running probe process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.samples: list[Sample] = []

    def latencies(self) -> Latencies:
        """Return the latencies of all samples."""
        return Latencies([sample.latency for sample in self.samples])

    def worst_during(self, starts: list[int], length: int) -> Latencies:
        """Return the highest latency that overlaps each interval.

        An interval of `length` µs begins at each of `starts`.
        """
        worst = (self._worst(start, start + length) for start in starts)
        return Latencies([latency for latency in worst if latency])

    def _worst(self, begin: int, end: int) -> int:
        return max((s.latency for s in self.samples if s.sent < end and s.sent + s.latency > begin), default=0)

    @contextlib.asynccontextmanager
    async def probing(self) -> AsyncIterator[None]:
        """Probe during the block; `samples` is set afterwards.

        Raises `BenchError` if the probe failed.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")
        yield
        output, errors = await asyncio.wait_for(self._process.communicate(b"stop\n"), TIMEOUT)
        if self._process.returncode != 0:
            raise BenchError(f"the client whose commands are timed failed: {errors.decode().splitlines()[-1]}")
        self.samples = [Sample(*certificate_pair) for certificate_pair in json.loads(output)]


@contextlib.asynccontextmanager
async def connected_probe(env: Environment) -> AsyncIterator[Probe]:
    """Start a probe, wait until it is connected, and stop it after the block."""
    host, port = env.address
    hello = msgspec.json.encode(env.hello()[0]).decode()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fanjet.bench.processes.probe", host, str(port), hello),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    try:
        assert process.stdout is not None
        if await asyncio.wait_for(process.stdout.readline(), TIMEOUT) != b"ready\n":
            raise BenchError("the client whose commands are timed cannot connect")
        yield Probe(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
