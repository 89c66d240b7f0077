"""A task that starts eagerly, for code that may need a current task."""

from __future__ import annotations

import asyncio
import sys
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

from .continuation import Continuation

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


async def run_in_task(coro: Coroutine[Any, Any, T], waiting: set[asyncio.Task[Any]]) -> T:
    """Return the result of `coro`, which may need a current task (see `run_eagerly`).

    The task starts at once; the caller waits only if the coroutine does. Meanwhile the task is in `waiting`.
    """
    task, ended, result = begin(coro)
    if ended:
        return result  # type: ignore[return-value]  # it has ended with one
    waiting.add(task)
    try:
        return await task
    finally:
        waiting.discard(task)


if sys.version_info >= (3, 12):

    def begin(coro: Coroutine[Any, Any, T]) -> tuple[asyncio.Task[T], bool, T | None]:
        """Start a task; return it, whether it has ended already, and its result."""
        task = asyncio.Task(coro, loop=asyncio.get_running_loop(), eager_start=True)
        return (task, True, task.result()) if task.done() else (task, False, None)

else:

    def begin(coro: Coroutine[Any, Any, T]) -> tuple[asyncio.Task[T], bool, T | None]:
        """Start a task; return it, whether it has ended already, and its result.

        The task awaits the continuation. For the first step it is made the current task with the functions that asyncio
        provides for task implementations.
        """
        loop, rest = asyncio.get_running_loop(), Continuation(coro, None)
        driver = _drive(rest)
        driver.send(None)  # parks it, as in `go_on`
        context = copy_context()
        task = loop.create_task(driver, context=context)
        outer = asyncio.current_task(loop)
        if outer is not None:
            asyncio._leave_task(loop, outer)
        asyncio._enter_task(loop, task)
        try:
            rest.awaited = awaited = context.run(coro.send, None)
        except StopIteration as finished:
            rest.over = True
            return task, True, finished.value
        except BaseException:
            rest.over = True
            raise
        finally:
            asyncio._leave_task(loop, task)
            if outer is not None:
                asyncio._enter_task(loop, outer)
        if awaited is not None:
            awaited._asyncio_future_blocking = False
        return task, False, None

    async def _drive(rest: Continuation) -> Any:
        return await rest
