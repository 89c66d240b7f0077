"""Closed loops: an operation starts when the previous one is answered."""

import abc
import asyncio
from collections.abc import Callable, Sequence

from ..clients.client import TIMEOUT
from ..clients.http_api import ApiCaller
from ..clients.replies import ReplyReader
from ..errors import BenchError
from ..measurement.latency import Latencies
from ..payload import now_us


class ClosedLoop(abc.ABC):
    """Base of both kinds: starts, counts, and stops after the outstanding operation."""

    def __init__(self, latencies: Latencies) -> None:
        self.operations = 0
        self._latencies = latencies
        self._sent = 0
        self._running = False
        self._stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self) -> None:
        """Start the first operation."""
        self._running = True
        self._next()

    async def stop(self) -> None:
        """Wait for the outstanding operation.

        Raises `BenchError` if one failed or timed out.
        """
        self._running = False
        try:
            await asyncio.wait_for(self._stopped, TIMEOUT)
        except TimeoutError as error:
            raise BenchError(f"an operation was not answered within {TIMEOUT:.0f} s") from error

    def _next(self) -> None:
        self._sent = now_us()
        self._send()

    @abc.abstractmethod
    def _send(self) -> None:
        """Send the next operation; `_answered` or `_failed` is called at its end."""

    def _answered(self) -> None:
        self.operations += 1
        self._latencies.add(now_us() - self._sent)
        if self._running:
            self._next()
        elif not self._stopped.done():
            self._stopped.set_result(None)

    def _failed(self, error: BenchError) -> None:
        if not self._stopped.done():
            self._stopped.set_exception(error)


class ApiLoop(ClosedLoop):
    """Calls an API on its own connection."""

    def __init__(
        self, connection: ApiCaller, path: bytes, next_body: Callable[[], bytes], latencies: Latencies
    ) -> None:
        super().__init__(latencies)
        self._connection = connection
        self._path = path
        self._next_body = next_body

    def _send(self) -> None:
        self._connection.request(self._path, self._next_body(), self._on_answer, self._failed)

    def _on_answer(self, body: bytes) -> None:
        if b'"error"' in body:
            self._failed(BenchError(f"the API answered {body[:200]!r}"))
        else:
            self._answered()


class CommandLoop(ClosedLoop):
    """Sends the same frame repeatedly on a client's connection, which it takes over."""

    def __init__(self, transport: asyncio.Transport, frame: bytes, answers: int, latencies: Latencies) -> None:
        """`answers`: the number of messages, replies and pushes, that follow one frame."""
        super().__init__(latencies)
        self._transport = transport
        self._frame = frame
        self._answers = answers
        self._missing = 0
        ReplyReader(transport, self._on_message, self._failed)

    def _send(self) -> None:
        self._missing = self._answers
        self._transport.write(self._frame)

    def _on_message(self, _: bytes) -> None:
        self._missing -= 1
        if self._missing == 0:
            self._answered()


def total(loops: Sequence[ClosedLoop]) -> int:
    """Return the number of finished operations of these loops."""
    return sum(loop.operations for loop in loops)


async def stop_all(loops: Sequence[ClosedLoop]) -> None:
    """Stop all loops. Raises the first failure."""
    for result in await asyncio.gather(*(loop.stop() for loop in loops), return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
