"""The first step of a coroutine, and a task for the rest where there is one."""

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
"""What can be left to do when a call returns."""


def run_eagerly(coro: Coroutine[Any, Any, T], done: Done[T]) -> asyncio.Task[None] | None:
    """Step `coro` now; when it has to wait, a task takes over the rest and is returned.

    `done(result, error)` is called once, with `error` None on success: before this returns None, or in the task.
    Cancelling the task throws `CancelledError` into the coroutine; what comes of it is reported as an error. The
    coroutine runs in one copy of the caller's context. Until it first waits there is no current task of its own: what
    needs one (`asyncio.timeout`, HTTP clients) has to make one.
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
    """Step a coroutine, which has no result, as `run_eagerly` does, for callers with something to save. None when it
    has ended. Raises what it raised.

    It has no context of its own before it waits: whatever sets variables there makes a task (`run_in_task`).
    """
    if isinstance(work, CallbackChain):
        return work if work.begin() else None
    if isinstance(work, (DirectFuture, FutureCallback)):
        return work
    awaited = next(work.__await__(), ENDED)
    return None if awaited is ENDED else Suspended(work, awaited, copy_context())


class Suspended:
    """A coroutine that has been stepped and waits."""

    __slots__ = ("_awaited", "_context", "_coro")

    def __init__(self, coro: Coroutine[Any, Any, Any], awaited: Any, context: Context) -> None:
        self._coro = coro
        self._awaited = awaited
        self._context = context

    def go_on(self, done: Done[Any]) -> asyncio.Task[None]:
        """Let a task take over the rest, and then call `done`; see `run_eagerly`. To be called at once; the task is to
        be kept."""
        awaited = self._awaited
        if awaited is not None:
            # A future passes itself up with this mark, and the task that receives it takes the mark off at once: until
            # our task runs, somebody else may await the same future and would find a wrong mark.
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
