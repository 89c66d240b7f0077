"""Running functions of the application, which may use whatever needs a current task."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

if sys.version_info >= (3, 12):

    async def in_task(coro: Coroutine[Any, Any, T]) -> T:
        """The result of `coro`, run in a task that begins at once; whoever awaits this does not wait if it does not."""
        task = asyncio.Task(coro, loop=asyncio.get_running_loop(), eager_start=True)
        return task.result() if task.done() else await task

else:

    async def in_task(coro: Coroutine[Any, Any, T]) -> T:
        """The result of `coro`, run in a task."""
        return await asyncio.get_running_loop().create_task(coro)
