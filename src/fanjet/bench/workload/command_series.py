"""A series of different commands of one client."""

import asyncio
from collections.abc import Sequence

from ..clients.client import TIMEOUT
from ..clients.replies import ReplyReader
from ..errors import BenchError
from ..measurement.latency import Latencies
from ..payload import now_us


class CommandSeries:
    """Sends frames on a client's connection until all commands are answered.

    It takes over the connection.

    Each frame is sent by a separate `send()`, as in an SDK.
    """

    def __init__(
        self, transport: asyncio.Transport, frames: Sequence[bytes], commands: int, *, frames_in_flight: int
    ) -> None:
        """`commands`: the number of commands in all frames.

        `frames_in_flight` frames are sent at first, then one for each reply.
        """
        self._transport = transport
        self._frames = iter(frames)
        self._missing = commands
        self._frames_in_flight = frames_in_flight
        self._latencies = Latencies()
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._began = 0
        ReplyReader(transport, self._on_answer, self._failed)

    def start(self, latencies: Latencies) -> None:
        """Send the first frames; the time until the last reply is added to `latencies`."""
        self._latencies = latencies
        self._began = now_us()
        for _ in range(self._frames_in_flight):
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

    async def wait_answered(self) -> None:
        """Wait for the last reply. Raises `BenchError` for an error reply or a timeout."""
        try:
            await asyncio.wait_for(self._done, TIMEOUT)
        except TimeoutError as error:
            raise BenchError(f"{self._missing} commands were not answered within {TIMEOUT:.0f} s") from error
