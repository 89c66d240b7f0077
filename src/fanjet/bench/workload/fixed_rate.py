"""Publishing at a fixed rate, independent of response times."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from ..clients.http_api import ApiConnection
from ..errors import BenchError

TICK: Final = 0.001
"""Seconds between two checks for due actions."""
MAX_CATCH_UP: Final = 2
"""Maximum number of ticks to catch up with in one tick."""


class ApiPool:
    """Connections to the API, each with one request at a time."""

    def __init__(self, connections: Sequence[ApiConnection]) -> None:
        self._idle = list(connections)
        self._size = len(connections)
        self._error: BenchError | None = None

    def request(self, path: bytes, body: bytes) -> bool:
        """Send a request if a connection is idle; return whether it was sent.

        Raises an earlier request's error.
        """
        if self._error is not None:
            raise self._error
        if not self._idle:
            return False
        connection = self._idle.pop()

        def on_answer(_: bytes) -> None:
            self._idle.append(connection)

        connection.request(path, body, on_answer, self._fail)
        return True

    async def drain(self) -> None:
        """Wait until no request is outstanding. Raises a request's error."""
        while len(self._idle) < self._size and self._error is None:  # noqa: ASYNC110 - once per measurement
            await asyncio.sleep(TICK)
        if self._error is not None:
            raise self._error

    def _fail(self, error: BenchError) -> None:
        self._error = error


async def run_at_rate(rate: float, seconds: float, action: Callable[[], bool]) -> int:
    """Run `action` `rate` times a second; it returns False if it could not run now.

    Returns the number of runs.

    Missed runs are only caught up with in part: bursts after a delay would be cheaper to serve than a steady rate.
    """
    clock = asyncio.get_running_loop().time
    last = start = clock()
    max_due = max(1.0, MAX_CATCH_UP * rate * TICK)
    done = 0
    due = 0.0
    while (now := clock()) < start + seconds:
        due = min(due + (now - last) * rate, max_due)
        last = now
        while due >= 1 and action():
            due -= 1
            done += 1
        await asyncio.sleep(TICK)
    return done
