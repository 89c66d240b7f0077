"""Commands of one client that are sent once each."""

import asyncio
from collections.abc import Sequence

from ..clients.client import TIMEOUT
from ..clients.replies import Answers
from ..errors import BenchError
from ..measurement.latency import Latencies
from .payload import now_us


class Series:
    """Sends frames on a client's connection, which it takes over, until everything in them is answered.

    Each frame leaves by a `send()` of its own, as from an SDK.
    """

    def __init__(self, transport: asyncio.Transport, frames: Sequence[bytes], commands: int, *, at_once: int) -> None:
        """`commands` are in all frames together. `at_once` frames are sent in the beginning, others for one answer
        each."""
        self._transport = transport
        self._frames = iter(frames)
        self._missing = commands
        self._at_once = at_once
        self._latencies = Latencies()
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._began = 0
        Answers(transport, self._on_answer, self._failed)

    def start(self, latencies: Latencies) -> None:
        """Send the first frames; note in `latencies` how long it takes until the last answer."""
        self._latencies = latencies
        self._began = now_us()
        for _ in range(self._at_once):
            self._send_next()

    def _send_next(self) -> None:
        frame = next(self._frames, None)
        if frame is not None:
            self._transport.write(frame)

    def _on_answer(self, _: bytes) -> None:
        self._missing -= 1
        if self._missing:
            self._send_next()
        elif not self._done.done():
            self._latencies.add(now_us() - self._began)
            self._done.set_result(None)

    def _failed(self, error: BenchError) -> None:
        if not self._done.done():
            self._done.set_exception(error)

    async def answered(self) -> None:
        """Wait for the last answer. Raises `BenchError` for an error among them, or when it does not come."""
        try:
            await asyncio.wait_for(self._done, TIMEOUT)
        except TimeoutError as error:
            raise BenchError(f"{self._missing} commands were not answered within {TIMEOUT:.0f} s") from error
