"""Processes that the supervisor starts."""

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

    from .role import EnginePlace, WorkerPlace


STACKS_SIGNAL: Final = signal.SIGUSR1
WRITING_SECONDS: Final = 0.5
"""Time in which one that hangs may tell where."""

log = get_logger(__name__)


def show_stacks_when_asked() -> None:
    """Write all threads' stacks to standard error on `STACKS_SIGNAL`, even when nothing else works any more. A program
    that has a use of its own for the signal keeps that."""
    if signal.getsignal(STACKS_SIGNAL) is signal.SIG_DFL:
        faulthandler.register(STACKS_SIGNAL)


class Child:
    """A process of this program."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._exited = asyncio.ensure_future(process.wait())
        self.hung = False
        """Whether it was ended because it hung."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return not self._exited.done()

    async def exited(self) -> int:
        """Wait until it has ended: its status, negative for the signal that ended it."""
        return await asyncio.shield(self._exited)

    def when_exited(self, call: Callable[[], None]) -> None:
        """Call once it has ended."""
        self._exited.add_done_callback(lambda _: call())

    def give_up(self) -> None:
        """End it because it hangs. First it writes to standard error where it is, if it has prepared for that."""
        self.hung = True
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(STACKS_SIGNAL)
            asyncio.get_running_loop().call_later(WRITING_SECONDS, self.kill)

    def kill(self) -> None:
        """End it at once."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def ended_within(self, seconds: float) -> int:
        """Its status; it is killed if it takes longer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self.exited()
        log.error("process does not end, killing it", pid=self.pid, seconds=seconds)
        self.kill()
        return await self.exited()


async def spawn(place: WorkerPlace | EnginePlace, environment: Mapping[str, str], descriptors: list[int]) -> Child:
    """Start this program once more, as something else, with these open files.

    It is in a process group of its own: what is typed at a terminal reaches the supervisor alone.
    """
    words = [sys.executable, *sys.orig_argv[1:]]
    process = await asyncio.create_subprocess_exec(
        *words,
        env=environment_for(place, environment),
        pass_fds=descriptors,
        process_group=0,
        stdin=asyncio.subprocess.DEVNULL,
    )
    return Child(process)


def describe(status: int) -> str:
    """How a process has ended, for the log."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
