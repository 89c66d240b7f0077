"""Runs coroutines concurrently, with tasks only for those that wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from fanjet.net.aio import run_eagerly

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

T = TypeVar("T")


async def gather(works: Sequence[Coroutine[Any, Any, T]]) -> list[T | BaseException]:
    """Run all to completion.

    An exception takes the place of the result, without its traceback, whose frames would hold the exception in turn.
    Cancelling cancels all.
    """
    outcomes: list[T | BaseException | None] = [None] * len(works)
    tasks = []
    for index, work in enumerate(works):

        def done(result: T | None, error: BaseException | None, index: int = index) -> None:
            outcomes[index] = error.with_traceback(None) if error is not None else result

        task = run_eagerly(work, done)
        if task is not None:
            tasks.append(task)
    if tasks:
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            raise
    return outcomes  # type: ignore[return-value]  # every index has been set
