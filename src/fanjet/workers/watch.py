"""Noticing processes that run but do nothing any more: stuck in a loop, or stopped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .child import Child

ROUNDS: Final = 10
"""Signs of life that a process is asked for one after the other, before it is given up."""
IDLE_SECONDS: Final = 1.0
WRITING_SECONDS: Final = 0.5
"""Time in which one that hangs may tell where."""

log = get_logger(__name__)


class Watched(Protocol):
    """A process that is asked for signs of life."""

    title: str
    """What it is, for the log."""
    unanswered: int
    """How many times it has been asked for one since it gave one."""

    @property
    def details(self) -> Mapping[str, object]:
        """Which one it is, for the log."""

    @property
    def is_ready(self) -> bool:
        """Whether it has come so far as to give any, and still runs."""

    @property
    def child(self) -> Child:
        """Its process."""

    def ask(self) -> None:
        """Have it give one."""


class Watch:
    """Kills those that do not answer for `patience()` seconds, so that they are replaced; 0: none. The first is the one
    to go where several hang.

    Patience is counted in questions, not by the clock: when the whole machine was asleep, or this process stopped with
    all others, no time has passed. And after one was killed, all others have their full time again: a machine
    that is merely too busy loses one at a time.
    """

    def __init__(self, watched: Callable[[], Iterable[Watched]], patience: Callable[[], float]) -> None:
        self._watched = watched
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
        ready = [one for one in self._watched() if one.is_ready]
        longest = max(ready, key=lambda one: one.unanswered, default=None)
        if longest is not None and longest.unanswered >= ROUNDS:
            log.error(
                f"{longest.title} does not answer, killing it",
                **longest.details,
                pid=longest.child.pid,
                seconds=patience,
            )
            longest.child.show_stacks()
            asyncio.get_running_loop().call_later(WRITING_SECONDS, longest.child.kill)
            for one in ready:
                one.unanswered = 0
        for one in ready:
            one.ask()
