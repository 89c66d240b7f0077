"""Runs the application's functions in tasks, which libraries they use may require."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from fanjet.net.aio import run_in_task

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class HandlerTasks:
    """The application's functions under way."""

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def run(self, coro: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        """Return an awaitable for the result of `coro`, which runs in a task of its own."""
        return run_in_task(coro, self._tasks)

    def start(self, coro: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `coro` in a task that starts in the next turn of the event loop."""
        task = asyncio.create_task(coro)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel(self) -> None:
        """Cancel all tasks."""
        for task in self._tasks:
            task.cancel()
