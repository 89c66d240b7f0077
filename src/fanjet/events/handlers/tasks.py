"""Running functions of the application, which may use whatever needs a current task."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class Running:
    """The functions of an application that are under way."""

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, coro: Coroutine[Any, Any, T]) -> T:
        """The result of `coro`, run in a task of its own. From Python 3.12 on, where tasks can begin at once, whoever
        awaits this waits only if the coroutine does."""
        task = _begin(coro)
        if task.done():
            return task.result()
        self._tasks.add(task)
        try:
            return await task
        finally:
            self._tasks.discard(task)

    def cancel(self) -> None:
        """Wait for none of them any longer."""
        for task in self._tasks:
            task.cancel()


if sys.version_info >= (3, 12):

    def _begin(coro: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        return asyncio.Task(coro, loop=asyncio.get_running_loop(), eager_start=True)

else:

    def _begin(coro: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        return asyncio.get_running_loop().create_task(coro)
