"""Several pieces of work at once, without a task for those that do not wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from fanjet.net.aio import run_eagerly

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

T = TypeVar("T")


async def gather(works: Sequence[Coroutine[Any, Any, T]]) -> list[T | BaseException]:
    """Run all to their ends; what one raised stands in the place of its result, without its traceback, whose frames
    would hold it in turn. Cancelling cancels all."""
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
    return outcomes  # type: ignore[return-value]  # every place has been filled
