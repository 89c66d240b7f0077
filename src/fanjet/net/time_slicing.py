"""Time slicing of long loops, so that they do not block the event loop.

DESIGN §3.
"""

from __future__ import annotations

import asyncio
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from fanjet.net.aio import StartedCoroutine, run_eagerly

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

T = TypeVar("T")
S = TypeVar("S")

SLICE: Final = 0.002
"""Seconds after which a loop yields to the event loop."""
SLICE_CHECK: Final = 128
"""Items processed between two checks of the clock."""
MAX_IN_FLIGHT: Final = 1024
"""Pending operations of one request at most (05 §6.2, §6.14)."""


class TimeSlice:
    """Tracks how long a handler has run since it last yielded."""

    __slots__ = ("_end",)

    def __init__(self) -> None:
        self._end = monotonic() + SLICE

    def is_over(self) -> bool:
        """Whether the handler should call `yield_to_loop`."""
        return monotonic() >= self._end

    async def yield_to_loop(self) -> None:
        """Let the event loop run once and start a new slice."""
        await asyncio.sleep(0)
        self._end = monotonic() + SLICE


async def run_all(jobs: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run coroutines concurrently, at most `MAX_IN_FLIGHT` of them.

    Results are in order. If one raises, the others go on; the first error is raised when all are done. Cancellation
    lets the started ones finish.
    """
    batch: _Batch[T] = _Batch()
    time_slice = TimeSlice()
    for job in jobs:
        batch.start(job)
        if batch.running >= MAX_IN_FLIGHT:
            await batch.wait_below(MAX_IN_FLIGHT)
        elif time_slice.is_over():
            await time_slice.yield_to_loop()
    await batch.wait_below(1)
    return batch.results()


async def run_in_order(jobs: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Start coroutines in order, for operations ordered at the backend.

    Results are in order. No job may raise. Cancellation drops the pending ones.
    """
    results: list[T] = []
    started: list[StartedCoroutine[T]] = []
    time_slice = TimeSlice()
    try:
        for job in jobs:
            started.append(StartedCoroutine(job))
            if len(started) >= MAX_IN_FLIGHT:
                results += [await each for each in started]
                started.clear()
            elif time_slice.is_over():
                await time_slice.yield_to_loop()
        results += [await each for each in started]
    finally:
        for each in started:
            each.close()
    return results


async def map_sliced(make: Callable[[S], T], items: Sequence[S]) -> list[T]:
    """Apply `make` to each item in time slices. Raises what `make` raises."""
    if len(items) <= SLICE_CHECK:
        return list(map(make, items))
    made: list[T] = []
    time_slice = TimeSlice()
    for start in range(0, len(items), SLICE_CHECK):
        made += map(make, items[start : start + SLICE_CHECK])
        if time_slice.is_over():
            await time_slice.yield_to_loop()
    return made


class _Batch(Generic[T]):
    """Started coroutines and their results."""

    __slots__ = ("_error", "_one_done", "_results", "_threshold", "running")

    def __init__(self) -> None:
        self.running = 0
        self._results: list[T | None] = []
        self._error: BaseException | None = None
        self._one_done: asyncio.Future[None] | None = None
        self._threshold = 0

    def start(self, job: Coroutine[Any, Any, T]) -> None:
        self.running += 1
        self._results.append(None)
        run_eagerly(job, partial(self._finished, len(self._results) - 1))

    def _finished(self, index: int, result: T | None, error: BaseException | None) -> None:
        self.running -= 1
        self._results[index] = result
        self._error = self._error or error
        if self._one_done and not self._one_done.done() and self.running < self._threshold:
            self._one_done.set_result(None)

    async def wait_below(self, number: int) -> None:
        if self.running >= number:
            self._threshold = number
            self._one_done = asyncio.get_running_loop().create_future()
            await self._one_done

    def results(self) -> list[T]:
        if self._error is not None:
            raise self._error
        return self._results  # type: ignore[return-value]  # every job has finished
