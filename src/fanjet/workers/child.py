"""Child processes of the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import signal
import sys
from typing import TYPE_CHECKING, Final

from fanjet.telemetry.logging import get_logger

from .role import environment_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .role import EngineSpec, WorkerSpec


STACKS_SIGNAL: Final = signal.SIGUSR1
DUMP_SECONDS: Final = 0.5
"""Time for a hanging process to write its stacks."""

log = get_logger(__name__)


def dump_stacks_on_signal() -> None:
    """Write all threads' stacks to standard error on `STACKS_SIGNAL`.

    This works even when the event loop hangs. A handler that the program has installed for the signal is kept.
    """
    if signal.getsignal(STACKS_SIGNAL) is signal.SIG_DFL:
        faulthandler.register(STACKS_SIGNAL)


class Child:
    """A child process that runs this program."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._exited = asyncio.ensure_future(process.wait())
        self.hung = False
        """Whether it was killed because it hung."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not exited yet."""
        return not self._exited.done()

    async def exited(self) -> int:
        """Wait until it has exited; its status, negative for the signal that ended it."""
        return await asyncio.shield(self._exited)

    def on_exit(self, call: Callable[[], None]) -> None:
        """Call a function when it has exited."""
        self._exited.add_done_callback(lambda _: call())

    def kill_hung(self) -> None:
        """Kill it because it hangs.

        Before, it writes its stacks to standard error if `dump_stacks_on_signal` was called.
        """
        self.hung = True
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(STACKS_SIGNAL)
            asyncio.get_running_loop().call_later(DUMP_SECONDS, self.kill)

    def kill(self) -> None:
        """Kill it at once."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def wait_exited(self, seconds: float) -> int:
        """Wait until it has exited, and kill it after so many seconds; its status."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self.exited()
        log.error("process does not end, killing it", pid=self.pid, seconds=seconds)
        self.kill()
        return await self.exited()


async def spawn(spec: WorkerSpec | EngineSpec, environment: Mapping[str, str], descriptors: list[int]) -> Child:
    """Start this program again in another role, with these inherited descriptors.

    It gets its own process group, so that signals from the terminal reach the supervisor alone.
    """
    arguments = [sys.executable, *sys.orig_argv[1:]]
    process = await asyncio.create_subprocess_exec(
        *arguments,
        env=environment_for(spec, environment),
        pass_fds=descriptors,
        process_group=0,
        stdin=asyncio.subprocess.DEVNULL,
    )
    return Child(process)


def describe_status(status: int) -> str:
    """Describe an exit status for the log."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
