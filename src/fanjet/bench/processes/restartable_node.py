"""A server process that a scenario starts and restarts."""

import asyncio
import contextlib
import json
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import BenchError
from ..settings import Settings, server_settings

if TYPE_CHECKING:
    from ..clients.client import Address

START_TIMEOUT: Final = 20.0
"""Timeout in seconds until a process listens."""

_POLL_SECONDS: Final = 0.02


def node_settings(port: int, drain_time: float, **overrides: Any) -> Settings:
    """Return the settings of a server with this drain time.

    They include the further top-level settings.
    """
    settings = server_settings(port)
    fanjet = {"drain_time": f"{drain_time}s", **overrides.pop("fanjet", {})}
    off = {"grpc_api": {"enabled": False}, "uni_grpc": {"enabled": False}}
    return {**settings, **off, "shutdown": {"timeout": f"{drain_time + 30}s"}, **overrides, "fanjet": fanjet}


class RestartableNode:
    """A process on a port of 127.0.0.1 that can be restarted with the same arguments.

    Its output is kept.
    """

    def __init__(self, arguments: list[str], port: int, folder: Path) -> None:
        self.address: Address = ("127.0.0.1", port)
        self._arguments = arguments
        self._log = folder / "log"
        self._process: asyncio.subprocess.Process | None = None

    @classmethod
    def for_server(cls, command: str, settings: Settings, folder: Path) -> "RestartableNode":
        """A server with these settings.

        {config}, {port} and {python} in `command` are replaced.
        """
        port = settings["http_server"]["port"]
        config = folder / "config.json"
        config.write_text(json.dumps(settings))
        filled = command.replace("{config}", str(config)).replace("{port}", str(port))
        return cls(shlex.split(filled.replace("{python}", sys.executable)), port, folder)

    async def start(self) -> None:
        """Start the process and wait until it listens.

        Raises `BenchError` when it does not.
        """
        with self._log.open("ab") as log:
            try:
                process = self._process = await asyncio.create_subprocess_exec(
                    *self._arguments, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
            except OSError as error:
                raise BenchError(f"cannot start {self._arguments[0]}: {error}") from error
        await self._until(self._listens, "it does not listen", process)

    async def wait_for_log(self, text: str, within: float) -> None:
        """Wait until its output contains `text`. Raises `BenchError`."""

        async def is_logged() -> bool:
            return text in self._log_text()

        await self._until(is_logged, f"it does not say {text!r}", self._running(), within)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self._running().send_signal(number)

    async def wait_ended(self, within: float) -> None:
        """Wait until the process has ended. Raises `BenchError`."""
        try:
            async with asyncio.timeout(within):
                await self._running().wait()
        except TimeoutError as error:
            raise BenchError(f"the server did not end within {within:.0f} s") from error

    async def kill(self) -> None:
        """Kill the process and its children."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "it has not been started"
        return self._process

    def _log_text(self) -> str:
        return self._log.read_text(errors="replace")

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(*self.address)
        except OSError:
            return False
        writer.close()
        return True

    async def _until(
        self,
        condition: Callable[[], Awaitable[bool]],
        problem: str,
        process: asyncio.subprocess.Process,
        within: float = START_TIMEOUT,
    ) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while not await condition():
            wait_ended = process.returncode is not None
            if wait_ended or loop.time() > deadline:
                why = f"ended with status {process.returncode}" if wait_ended else f"{problem} within {within:.0f} s"
                tail = "\n".join(self._log_text().splitlines()[-15:])
                raise BenchError(f"{self._arguments[0]}: {why}:\n{tail}")
            await asyncio.sleep(_POLL_SECONDS)


@contextlib.asynccontextmanager
async def running_node(command: str, settings: Settings) -> AsyncIterator[RestartableNode]:
    """Run a server (`RestartableNode.for_server`) during the block."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        node = RestartableNode.for_server(command, settings, Path(folder))
        try:
            await node.start()
            yield node
        finally:
            await node.kill()
