"""Keeps one worker running.

Restarts it when it exits, and replaces it in a rolling restart.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from fanjet.telemetry.logging import get_logger

from .child import describe_status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .socket_owner import ListeningSockets
    from .worker import Worker

START_SECONDS: Final = 60.0
"""Time in which a new worker has to accept connections before it replaces the present one."""
STABLE_SECONDS: Final = 10.0
"""A worker that has run for so long is restarted without backoff."""
MIN_BACKOFF: Final = 0.5
MAX_BACKOFF: Final = 30.0

log = get_logger(__name__)


class Slot:
    """Keeps the worker of one number running."""

    def __init__(self, number: int, start: Callable[[int], Awaitable[Worker]], sockets: ListeningSockets) -> None:
        self.number = number
        self._start = start
        self._sockets = sockets
        self._worker: Worker | None = None
        self._lock = asyncio.Lock()
        self._backoff = 0.0
        self._started_at = 0.0

    @property
    def worker(self) -> Worker:
        """The present worker, ready or starting."""
        if self._worker is None:
            raise RuntimeError("no worker has been started")
        return self._worker

    async def start(self) -> bool:
        """Start the first worker of all, and another one if it hangs.

        False: it has exited before it accepted connections, or could not be started; the reason has been logged.
        """
        async with self._lock:
            while await self._start_worker():
                if await self.worker.wait_ready():
                    return True
                child = self.worker.child
                if not child.hung:
                    _log_exit(self.number, child.pid, await child.exited())
                    break
            return False

    async def start_persistently(self) -> None:
        """Start workers until one accepts connections, as other workers do already."""
        async with self._lock:
            await self._start_until_started()
            while not await self.worker.wait_ready():
                await self._restart(self.worker, await self.worker.child.exited())

    async def _start_worker(self) -> bool:
        """Start a worker. False: the system cannot start one now."""
        self._started_at = time.monotonic()
        worker = await self._spawn()
        if worker is not None:
            self._worker = worker
        return worker is not None

    async def _spawn(self) -> Worker | None:
        """Start a worker; return None if the system cannot start one.

        The reason may be a lack of memory or of file descriptors.
        """
        try:
            return await self._start(self.number)
        except OSError as error:
            log.error("cannot start a worker", number=self.number, error=error)
            return None

    async def run(self) -> None:
        """Restart the worker whenever it has exited."""
        while True:
            worker = self.worker
            status = await worker.child.exited()
            async with self._lock:
                if worker is self._worker:
                    await self._restart(worker, status)

    async def _restart(self, worker: Worker, status: int) -> None:
        backoff = self._next_backoff()
        log.error(
            "worker has ended, starting another",
            number=self.number,
            pid=worker.child.pid,
            status=describe_status(status),
            pause=f"{backoff}s",
        )
        self._sockets.close_worker(self.number)  # so that clients connect to other workers instead of waiting
        await asyncio.sleep(backoff)
        await self._start_until_started()

    async def _start_until_started(self) -> None:
        started = await self._start_worker()
        while not started:
            await asyncio.sleep(self._next_backoff())
            started = await self._start_worker()

    def _next_backoff(self) -> float:
        """Exponential backoff; the first one is 0."""
        if time.monotonic() - self._started_at >= STABLE_SECONDS:
            self._backoff = 0.0
            return 0.0
        backoff, self._backoff = self._backoff, min(max(self._backoff * 2, MIN_BACKOFF), MAX_BACKOFF)
        return backoff

    async def replace(self, grace: float) -> bool:
        """Start a new worker, and shut down the present one once the new one is ready.

        The present one is shut down within `grace` seconds once the new one accepts connections. Returns False if the
        new one did not become ready: the present one stays.
        """
        async with self._lock:
            new = await self._spawn()
            if new is None:
                return False
            if not await new.wait_ready(START_SECONDS):
                new.child.kill()
                return False
            old, self._worker = self._worker, new
            self._started_at = time.monotonic()
        if old is not None:
            old.stop(replaced=True)
            await old.child.wait_exited(grace)
        self._sockets.close_unrequested(self.number)
        return True


def _log_exit(number: int, pid: int, status: int) -> None:
    """Log how the first worker has ended, unless it has logged that itself."""
    if status < 0:
        log.error("worker has ended while starting", number=number, pid=pid, status=describe_status(status))
