"""The first step of a coroutine, and a task for its continuation."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context, copy_context
from typing import Any, TypeVar

from .callback_chain import ENDED, CallbackChain, FutureCallback
from .continuation import Continuation, Done
from .future import DirectFuture

T = TypeVar("T")
Work = Coroutine[Any, Any, None] | CallbackChain | FutureCallback | DirectFuture[Any]
"""The pending work that a call may return."""


def run_eagerly(coro: Coroutine[Any, Any, T], done: Done[T]) -> asyncio.Task[None] | None:
    """Step `coro` now; when it waits, a task runs its continuation and is returned.

    `done(result, error)` is called once, with `error` None on success: before this returns None, or in the task.
    Cancelling the task throws `CancelledError` into the coroutine; the outcome is reported as an error. The coroutine
    runs in one copy of the caller's context. Before it first waits it has no current task: code that needs one
    (`asyncio.timeout`, HTTP clients) must create it.
    """
    context = copy_context()
    try:
        awaited = context.run(coro.send, None)
    except StopIteration as finished:
        done(finished.value, None)
        return None
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        done(None, error)
        return None
    return Suspended(coro, awaited, context).go_on(done)


def start(work: Work) -> Suspended | CallbackChain | FutureCallback | DirectFuture[Any] | None:
    """Step a coroutine without a result as `run_eagerly` does, but cheaper.

    Returns None if it has ended. Raises what it raised.

    It has no context of its own before it waits: code that sets context variables must create a task (`run_in_task`).
    """
    if isinstance(work, CallbackChain):
        return work if work.begin() else None
    if isinstance(work, (DirectFuture, FutureCallback)):
        return work
    awaited = next(work.__await__(), ENDED)
    return None if awaited is ENDED else Suspended(work, awaited, copy_context())


class Suspended:
    """A coroutine that was stepped and waits."""

    __slots__ = ("_awaited", "_context", "_coro")

    def __init__(self, coro: Coroutine[Any, Any, Any], awaited: Any, context: Context) -> None:
        self._coro = coro
        self._awaited = awaited
        self._context = context

    def go_on(self, done: Done[Any]) -> asyncio.Task[None]:
        """Create a task for the continuation, which then calls `done`; see `run_eagerly`.

        Must be called at once; the caller keeps the task.
        """
        awaited = self._awaited
        if awaited is not None:
            # A future passes itself up with this mark, and the task that receives it takes the mark off at once: until
            # our task runs, another task may await the same future and would find a wrong mark.
            awaited._asyncio_future_blocking = False
        rest = _finish(self._coro, awaited, done)
        rest.send(None)  # parks it: a task cancelled before its first step throws into the coroutine all the same
        return asyncio.get_running_loop().create_task(rest, context=self._context)


async def _finish(coro: Coroutine[Any, Any, T], awaited: Any, done: Done[T]) -> None:
    try:
        result: T = await Continuation(coro, awaited)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        done(None, error)
    else:
        done(result, None)
