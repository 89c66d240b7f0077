"""One worker that always runs: replaced when it has ended, and when it should be another."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from fanjet.telemetry.logging import get_logger

from .child import describe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .socket_owner import Keeper
    from .worker import Worker

START_SECONDS: Final = 60.0
"""Time in which a new worker has to accept connections, to take the place of one that does."""
LONG_LIFE: Final = 10.0
"""Seconds after which the end of a worker has nothing to do with its start: the next one is started at once."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0

log = get_logger(__name__)


class Slot:
    """Keeps the worker of one number."""

    def __init__(self, number: int, start: Callable[[int], Awaitable[Worker]], keeper: Keeper) -> None:
        self.number = number
        self._start = start
        self._keeper = keeper
        self._worker: Worker | None = None
        self._changing = asyncio.Lock()
        self._pause = 0.0
        self._started_at = 0.0

    @property
    def worker(self) -> Worker:
        """The one that accepts connections, or is going to."""
        if self._worker is None:
            raise RuntimeError("no worker has been started")
        return self._worker

    async def start(self) -> bool:
        """Start the first worker of all, and another one if it hangs. False: it has ended before it accepted
        connections, or could not be started at all, and it has been said why."""
        async with self._changing:
            while await self._begin():
                if await self.worker.came_up():
                    return True
                child = self.worker.child
                if not child.hung:
                    _tell_end(self.number, child.pid, await child.exited())
                    break
            return False

    async def insist(self) -> None:
        """Start a worker, and another one until one accepts connections: others do already, so it is possible."""
        async with self._changing:
            await self._begin_in_the_end()
            while not await self.worker.came_up():
                await self._start_again(self.worker, await self.worker.child.exited())

    async def _begin(self) -> bool:
        """Start a worker. False: that is not possible now."""
        self._started_at = time.monotonic()
        worker = await self._started()
        if worker is not None:
            self._worker = worker
        return worker is not None

    async def _started(self) -> Worker | None:
        """A new worker; None: the system has no room for one, as when it has run out of memory or files."""
        try:
            return await self._start(self.number)
        except OSError as error:
            log.error("cannot start a worker", number=self.number, error=error)
            return None

    async def keep(self) -> None:
        """Start another worker whenever the present one has ended, for ever."""
        while True:
            worker = self.worker
            status = await worker.child.exited()
            async with self._changing:
                if worker is self._worker:
                    await self._start_again(worker, status)

    async def _start_again(self, worker: Worker, status: int) -> None:
        pause = self._next_pause()
        log.error(
            "worker has ended, starting another",
            number=self.number,
            pid=worker.child.pid,
            status=describe(status),
            pause=f"{pause}s",
        )
        self._keeper.let_go(self.number)  # so that clients come to the others rather than wait for the next
        await asyncio.sleep(pause)
        await self._begin_in_the_end()

    async def _begin_in_the_end(self) -> None:
        begun = await self._begin()
        while not begun:
            await asyncio.sleep(self._next_pause())
            begun = await self._begin()

    def _next_pause(self) -> float:
        """The first time none, and then longer and longer."""
        if time.monotonic() - self._started_at >= LONG_LIFE:
            self._pause = 0.0
            return 0.0
        pause, self._pause = self._pause, min(max(self._pause * 2, FIRST_PAUSE), LONGEST_PAUSE)
        return pause

    async def replace(self, patience: float) -> bool:
        """Start another worker, and once it accepts connections have the present one shut down, which may take
        `patience` seconds. False: the other one does not come up, and the present one stays."""
        async with self._changing:
            new = await self._started()
            if new is None:
                return False
            if not await new.came_up(START_SECONDS):
                new.child.kill()
                return False
            old, self._worker = self._worker, new
            self._started_at = time.monotonic()
        if old is not None:
            old.stop(replaced=True)
            await old.child.ended_within(patience)
        self._keeper.drop_unasked(self.number)
        return True


def _tell_end(number: int, pid: int, status: int) -> None:
    """Say how the first worker has ended, unless it could do so itself."""
    if status < 0:
        log.error("worker has ended while starting", number=number, pid=pid, status=describe(status))
