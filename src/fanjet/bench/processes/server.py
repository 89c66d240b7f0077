"""Starts and stops the server under test and pins it to its processors."""

import asyncio
import contextlib
import json
import os
import shlex
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Final

from ..certificate import CertificatePair, issue
from ..clients.client import Address
from ..errors import BenchError, NotAvailable
from ..measurement.resource_usage import ProcessTree
from ..settings import encrypted_settings, server_settings

START_TIMEOUT: Final = 20.0
"""Timeout in seconds until a server listens."""

STOP_TIMEOUT: Final = 5.0
"""Seconds between SIGTERM and SIGKILL."""

NO_OVERRIDES: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A running server."""

    address: Address
    tree: ProcessTree
    certificate: CertificatePair | None = None
    """Its TLS certificate, if the port is encrypted."""
    command: str = ""
    """The command that started it (`Spawned.command`); empty for an attached server."""


@dataclass(frozen=True, slots=True)
class Spawned:
    """A server that is started for each scenario.

    {config}, {port} and {python} in `command` are replaced.
    """

    command: str

    @contextlib.asynccontextmanager
    async def running(
        self, cpus: frozenset[int], *, encrypted: bool = False, overrides: Mapping[str, Any] = NO_OVERRIDES
    ) -> AsyncIterator[RunningServer]:
        """Start it on `cpus` and stop it after the block.

        Raises `BenchError` when it does not listen.

        `overrides` are settings at the top level, over those that all scenarios have.
        """
        certificate = issue() if encrypted else None
        address = ("127.0.0.1", free_port())
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, tempfile.TemporaryFile() as log:
            process = await _spawn(self._arguments(folder, address[1], certificate, overrides), log.fileno(), cpus)
            try:
                await _wait_for_listener(process, address, log)
                yield RunningServer(address, ProcessTree(process.pid), certificate, self.command)
            finally:
                await _stop(process)

    def _arguments(
        self, folder: str, port: int, certificate: CertificatePair | None, overrides: Mapping[str, Any]
    ) -> list[str]:
        """Write the configuration into `folder` and return the command's arguments."""
        config = Path(folder, "config.json")
        settings = encrypted_settings(port, certificate) if certificate else server_settings(port)
        config.write_text(json.dumps({**settings, **overrides}))
        placeholders = {"{config}": str(config), "{port}": str(port), "{python}": sys.executable}
        return [_fill(part, placeholders) for part in shlex.split(self.command)]


@dataclass(frozen=True, slots=True)
class Attached:
    """A server that is already running with `settings.server_settings`.

    It is neither pinned nor stopped.
    """

    address: Address
    pid: int

    @contextlib.asynccontextmanager
    async def running(
        self, cpus: frozenset[int], *, encrypted: bool = False, overrides: Mapping[str, Any] = NO_OVERRIDES
    ) -> AsyncIterator[RunningServer]:
        """Return the server. Raises `NotAvailable` if TLS or other settings are required."""
        if encrypted:
            raise NotAvailable("a server that runs already is on settings without TLS")
        if overrides:
            raise NotAvailable(f"a server that runs already has other settings of {', '.join(overrides)}")
        yield RunningServer(self.address, ProcessTree(self.pid))


Server = Spawned | Attached


def _fill(part: str, placeholders: dict[str, str]) -> str:
    for name, value in placeholders.items():
        part = part.replace(name, value)
    return part


def free_port() -> int:
    """Return a free port of 127.0.0.1."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.contextmanager
def on_cpus(cpus: frozenset[int]) -> Iterator[None]:
    """Run the block on these processors.

    A process started in it stays on them, with all its threads.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


async def _spawn(arguments: list[str], output: int, cpus: frozenset[int]) -> asyncio.subprocess.Process:
    with on_cpus(cpus):
        try:
            return await asyncio.create_subprocess_exec(
                *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        except OSError as error:
            raise BenchError(f"cannot start {arguments[0]}: {error}") from error


async def _wait_for_listener(process: asyncio.subprocess.Process, address: Address, log: IO[bytes]) -> None:
    deadline = asyncio.get_running_loop().time() + START_TIMEOUT
    while not await _accepts(address):
        if process.returncode is not None:
            raise BenchError(f"the server ended with status {process.returncode}:\n{_tail(log)}")
        if asyncio.get_running_loop().time() > deadline:
            raise BenchError(f"the server does not listen after {START_TIMEOUT:.0f} s:\n{_tail(log)}")
        await asyncio.sleep(0.05)


async def _accepts(address: Address) -> bool:
    try:
        _, writer = await asyncio.open_connection(*address)
    except OSError:
        return False
    writer.close()
    return True


def _tail(log: IO[bytes]) -> str:
    log.seek(0)
    return b"\n".join(log.read().splitlines()[-15:]).decode(errors="replace")


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Terminate the server, then kill the remaining processes of its session."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
