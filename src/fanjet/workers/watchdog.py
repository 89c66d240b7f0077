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
START_SECONDS: Final = 120.0
"""Time that one has at least until it gives the first: many start at once on a small machine, and each runs the whole
program that embeds the server, whatever that loads."""
IDLE_SECONDS: Final = 1.0

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
        """Whether it serves."""

    @property
    def is_starting(self) -> bool:
        """Whether it runs but does not serve yet. It is asked all the same: it answers as soon as it can."""

    @property
    def child(self) -> Child:
        """Its process."""

    def ask(self) -> None:
        """Have it give one."""


class Watch:
    """Kills those that do not answer for `patience()` seconds, so that they are replaced; 0: none. Who is starting has
    `START_SECONDS` at least. The first is the one to go where several hang.

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
        asked = [one for one in self._watched() if one.is_ready or one.is_starting]
        longest = max(asked, key=lambda one: one.unanswered / _rounds(one, patience), default=None)
        if longest is not None and longest.unanswered >= _rounds(longest, patience):
            _give_up(longest, patience)
            for one in asked:
                one.unanswered = 0
        for one in asked:
            one.ask()


def _rounds(one: Watched, patience: float) -> float:
    """How many questions may be in vain."""
    return ROUNDS if one.is_ready else ROUNDS * max(1.0, START_SECONDS / patience)


def _give_up(one: Watched, patience: float) -> None:
    what = "answer" if one.is_ready else "come up"
    seconds = _rounds(one, patience) * patience / ROUNDS
    log.error(f"{one.title} does not {what}, killing it", **one.details, pid=one.child.pid, seconds=seconds)
    one.child.give_up()
