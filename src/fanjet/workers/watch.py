"""Noticing workers that run but do nothing any more: stuck in a loop, or stopped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from .worker import Worker

ROUNDS: Final = 10
"""Signs of life that a worker is asked for one after the other, before it is given up."""
IDLE_SECONDS: Final = 1.0
WRITING_SECONDS: Final = 0.5
"""Time in which a worker that hangs may tell where."""

log = get_logger(__name__)


class Watch:
    """Kills workers that do not answer for `patience()` seconds, so that they are replaced; 0: none.

    Patience is counted in questions, not by the clock: when the whole machine was asleep, or this process stopped with
    all others, no time has passed. And after one worker was killed, all others have their full time again: a machine
    that is merely too busy loses one at a time.
    """

    def __init__(self, workers: Collection[Worker], patience: Callable[[], float]) -> None:
        self._workers = workers
        self._patience = patience

    async def keep(self) -> None:
        """Watch for ever."""
        while True:
            patience = self._patience()
            await asyncio.sleep(patience / ROUNDS if patience else IDLE_SECONDS)
            if patience:
                self.look(patience)

    def look(self, patience: float) -> None:
        """Ask everybody once more; first give up the one who has been asked in vain most often, if that is enough."""
        ready = [worker for worker in self._workers if worker.is_ready]
        longest = max(ready, key=lambda worker: worker.unanswered, default=None)
        if longest is not None and longest.unanswered >= ROUNDS:
            log.error(
                "worker does not answer, killing it",
                number=longest.number,
                pid=longest.child.pid,
                seconds=patience,
            )
            longest.child.show_stacks()
            asyncio.get_running_loop().call_later(WRITING_SECONDS, longest.child.kill)
            for worker in ready:
                worker.unanswered = 0
        for worker in ready:
            worker.ask()
