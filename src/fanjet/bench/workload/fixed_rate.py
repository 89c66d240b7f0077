"""Publishing at a steady rate, however long an answer takes."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from ..clients.http_api import ApiConnection
from ..errors import BenchError

TICK: Final = 0.001
"""Seconds between two looks at what is due."""
CROWD: Final = 2
"""Times what is due in a tick, at most."""


class Pool:
    """Connections to the API, each with one request at a time."""

    def __init__(self, connections: Sequence[ApiConnection]) -> None:
        self._idle = list(connections)
        self._size = len(connections)
        self._error: BenchError | None = None

    def request(self, path: bytes, body: bytes) -> bool:
        """Send a request, if a connection is idle; tell whether it was sent. Raises what an earlier one failed by."""
        if self._error is not None:
            raise self._error
        if not self._idle:
            return False
        connection = self._idle.pop()

        def on_answer(_: bytes) -> None:
            self._idle.append(connection)

        connection.request(path, body, on_answer, self._fail)
        return True

    async def answered(self) -> None:
        """Wait until no request is under way. Raises what one failed by."""
        while len(self._idle) < self._size and self._error is None:  # noqa: ASYNC110 - asked once in a measurement
            await asyncio.sleep(TICK)
        if self._error is not None:
            raise self._error

    def _fail(self, error: BenchError) -> None:
        self._error = error


async def at_rate(rate: float, seconds: float, action: Callable[[], bool]) -> int:
    """Do `action` `rate` times a second, as far as it can be done: it returns whether it was. Returns how often.

    What has been missed is made up for by little, else who is held up would come in crowds, which are cheaper to serve.
    """
    clock = asyncio.get_running_loop().time
    last = start = clock()
    most = max(1.0, CROWD * rate * TICK)
    done = 0
    due = 0.0
    while (now := clock()) < start + seconds:
        due = min(due + (now - last) * rate, most)
        last = now
        while due >= 1 and action():
            due -= 1
            done += 1
        await asyncio.sleep(TICK)
    return done
