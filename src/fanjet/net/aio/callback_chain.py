"""Going on without a task: what a coroutine waits for calls it on."""

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
"""What `next` gives for a coroutine that has ended. Unlike `send` it needs no exception to tell: 1000 instructions."""


class CallbackChain(Struct, eq=False):
    """A coroutine, for `start`, in which nothing needs a current task and nobody will want to cancel: when it has to
    wait, what it waits for calls it on, which costs a third of a task."""

    _coro: Coroutine[Any, Any, None]
    _steps: Generator[Any, Any, None] | None = None
    _awaited: Any = None
    _context: Context | None = None
    _done: Done[Any] | None = None

    def begin(self) -> bool:
        """Step it; whether it has to wait. Then `go_on` has to be called at once."""
        self._steps = steps = self._coro.__await__()
        self._awaited = next(steps, ENDED)
        return self._awaited is not ENDED

    def go_on(self, done: Done[Any]) -> None:
        """See to the rest, and then call `done`."""
        self._done = done
        self._context = copy_context()
        self._wait_for(self._awaited)

    def _wait_for(self, awaited: Any) -> None:
        if awaited is None:  # it only gave way
            asyncio.get_running_loop().call_soon(self._step, None, context=self._context)
        else:
            awaited._asyncio_future_blocking = False  # see `Suspended`
            awaited.add_done_callback(self._step, context=self._context)

    def _step(self, _: object) -> None:
        assert self._steps is not None
        assert self._done is not None
        try:
            awaited = next(self._steps, ENDED)  # what it waited for raises in it what there is to raise
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
    """For `start`: a future that is waited for, and what follows it, with no coroutine around them. What it or the
    future raises `fail` takes, and returns what is to be told instead."""

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
    """For `start`: hand the result of an engine's call to `follow`."""
    if isinstance(awaited, DirectFuture):
        awaited.then(follow)
        return awaited
    if isinstance(awaited, asyncio.Future):
        return FutureCallback(awaited, follow)
    return CallbackChain(_follow(awaited, follow))


async def _follow(awaited: Awaitable[T], follow: Callable[[T], None]) -> None:
    follow(await awaited)
