"""Detects processes that run but hang, in a loop or stopped, and kills them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .child import Child

MAX_UNANSWERED: Final = 10
"""Pings without a reply after which a process is killed."""
START_SECONDS: Final = 120.0
"""Minimum time for the first reply: many processes may start at once on a small machine, and each loads the whole
program that embeds the server."""
IDLE_SECONDS: Final = 1.0

log = get_logger(__name__)


class WatchedProcess(Protocol):
    """A process that the watchdog pings."""

    title: str
    """The kind of process, for the log."""
    unanswered_pings: int
    """Pings since the last reply."""

    @property
    def details(self) -> Mapping[str, object]:
        """Fields that identify it in the log."""

    @property
    def is_ready(self) -> bool:
        """Whether it is ready."""

    @property
    def is_starting(self) -> bool:
        """Whether it runs but is not ready yet.

        It is pinged as well, and replies as soon as it can.
        """

    @property
    def child(self) -> Child:
        """Its process."""

    def ping(self) -> None:
        """Send a ping."""


class Watchdog:
    """Kills processes that do not reply for `timeout()` seconds (0: never).

    Killed processes are replaced. Starting processes have at least `START_SECONDS`. Of several that hang, the first is
    killed. The timeout is counted in pings, not by the clock: no time passes while the machine sleeps or all processes
    are stopped. After one was killed, the others have the full timeout again, so that a machine that is merely too busy
    loses one at a time.
    """

    def __init__(self, watched: Callable[[], Iterable[WatchedProcess]], timeout: Callable[[], float]) -> None:
        self._watched = watched
        self._timeout = timeout

    async def run(self) -> None:
        """Check all processes periodically."""
        while True:
            timeout = self._timeout()
            await asyncio.sleep(timeout / MAX_UNANSWERED if timeout else IDLE_SECONDS)
            if timeout:
                self.check(timeout)

    def check(self, timeout: float) -> None:
        """Ping all processes.

        Before, kill the one with the most pings without a reply, if these are too many.
        """
        pinged = [process for process in self._watched() if process.is_ready or process.is_starting]
        longest = max(
            pinged, key=lambda process: process.unanswered_pings / _max_unanswered(process, timeout), default=None
        )
        if longest is not None and longest.unanswered_pings >= _max_unanswered(longest, timeout):
            _kill_hung(longest, timeout)
            for process in pinged:
                process.unanswered_pings = 0
        for process in pinged:
            process.ping()


def _max_unanswered(process: WatchedProcess, timeout: float) -> float:
    """Pings without a reply after which this process is killed."""
    return MAX_UNANSWERED if process.is_ready else MAX_UNANSWERED * max(1.0, START_SECONDS / timeout)


def _kill_hung(process: WatchedProcess, timeout: float) -> None:
    what = "answer" if process.is_ready else "come up"
    seconds = _max_unanswered(process, timeout) * timeout / MAX_UNANSWERED
    log.error(f"{process.title} does not {what}, killing it", **process.details, pid=process.child.pid, seconds=seconds)
    process.child.kill_hung()
