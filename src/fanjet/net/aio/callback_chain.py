"""Continues coroutines from future callbacks, without a task."""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Final, TypeVar

from msgspec import Struct

from .future import DirectFuture

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator

    from .continuation import Done

T = TypeVar("T")
ENDED: Final = object()
"""What `next` returns for an ended coroutine. Unlike `send`, it raises no exception, which saves 1000 instructions."""


class CallbackChain(Struct, eq=False):
    """A coroutine, for `start`, that needs no current task and is never cancelled.

    The awaited future calls its continuation, which costs a third of a task.
    """

    _coro: Coroutine[Any, Any, None]
    _steps: Generator[Any, Any, None] | None = None
    _awaited: Any = None
    _context: Context | None = None
    _done: Done[Any] | None = None

    def begin(self) -> bool:
        """Step the coroutine; whether it has to wait. Then `go_on` must be called at once."""
        self._steps = steps = self._coro.__await__()
        self._awaited = next(steps, ENDED)
        return self._awaited is not ENDED

    def go_on(self, done: Done[Any]) -> None:
        """Continue the coroutine, then call `done`."""
        self._done = done
        self._context = copy_context()
        self._wait_for(self._awaited)

    def _wait_for(self, awaited: Any) -> None:
        if awaited is None:  # it only yielded
            asyncio.get_running_loop().call_soon(self._step, None, context=self._context)
        else:
            awaited._asyncio_future_blocking = False  # see `Suspended`
            awaited.add_done_callback(self._step, context=self._context)

    def _step(self, _: object) -> None:
        assert self._steps is not None
        assert self._done is not None
        try:
            awaited = next(self._steps, ENDED)  # errors of the awaited future are raised inside the coroutine
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._done(None, error)
        else:
            if awaited is ENDED:
                self._done(None, None)
            else:
                self._wait_for(awaited)


class FutureCallback(Struct, eq=False):
    """For `start`: a future and the callback for its result, without a coroutine.

    `fail` maps an error of either to the error that is reported.
    """

    _future: asyncio.Future[Any]
    _follow: Callable[[Any], None]
    _fail: Callable[[BaseException], BaseException] | None = None
    _done: Done[Any] | None = None

    def go_on(self, done: Done[Any]) -> None:
        """See `Suspended`."""
        self._done = done
        self._future.add_done_callback(self._end)

    def _end(self, future: asyncio.Future[Any]) -> None:
        assert self._done is not None
        try:
            self._follow(future.result())
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._done(None, error if self._fail is None else self._fail(error))
        else:
            self._done(None, None)


def after(awaited: Awaitable[T], follow: Callable[[T], None]) -> CallbackChain | FutureCallback | DirectFuture[T]:
    """For `start`: pass the result of an engine call to `follow`."""
    if isinstance(awaited, DirectFuture):
        awaited.then(follow)
        return awaited
    if isinstance(awaited, asyncio.Future):
        return FutureCallback(awaited, follow)
    return CallbackChain(_follow(awaited, follow))


async def _follow(awaited: Awaitable[T], follow: Callable[[T], None]) -> None:
    follow(await awaited)
