"""Run a coroutine synchronously until it has to wait; only then make a task, or have it called on by what it waits for.

A task costs some 3 µs, stepping a coroutine by hand 0.2. Most commands are answered from memory and never wait, yet the
same code has to serve remote engines, which do.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, copy_context
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")
Done = Callable[[T | None, BaseException | None], None]
_ENDED: Final = object()


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


class Taskless(Struct, eq=False):
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
        self._awaited = next(steps, _ENDED)
        return self._awaited is not _ENDED

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
            awaited = next(self._steps, _ENDED)  # what it waited for raises in it what there is to raise
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._done(None, error)
        else:
            if awaited is _ENDED:
                self._done(None, None)
            else:
                self._wait_for(awaited)


class Following(Struct, eq=False):
    """For `start`: a future that is waited for, and what follows it, with no coroutine around them."""

    _future: asyncio.Future[Any]
    _follow: Callable[[Any], None]
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
            self._done(None, error)
        else:
            self._done(None, None)


Work = Coroutine[Any, Any, None] | Taskless | Following
"""What can be left to do when a call returns."""


def after(awaited: Awaitable[T], follow: Callable[[T], None]) -> Taskless | Following:
    """For `start`: hand the result of an engine's call to `follow`."""
    if isinstance(awaited, asyncio.Future):
        return Following(awaited, follow)
    return Taskless(_follow(awaited, follow))


async def _follow(awaited: Awaitable[T], follow: Callable[[T], None]) -> None:
    follow(await awaited)


def start(work: Work) -> "Suspended | Taskless | Following | None":
    """Step a coroutine, which has no result, as `run_eagerly` does, for callers with something to save. None when it
    has ended. Raises what it raised.

    It has no context of its own before it waits: whatever sets variables there makes a task (`in_task`).
    """
    if isinstance(work, Taskless):
        return work if work.begin() else None
    if isinstance(work, Following):
        return work
    # Unlike `send`, `next` with a default needs no exception to tell that the coroutine has ended: 1000 instructions.
    awaited = next(work.__await__(), _ENDED)
    return None if awaited is _ENDED else Suspended(work, awaited, copy_context())


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
        result: T = await _Rest(coro, awaited)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        done(None, error)
    else:
        done(result, None)


class Begun(Generic[T]):
    """A coroutine that has been stepped, here and without a task of its own, until it had to wait. To be awaited once,
    or closed. Raises what its first step raised."""

    __slots__ = ("_awaited", "_coro", "_over", "_result")

    def __init__(self, coro: Coroutine[Any, Any, T]) -> None:
        self._coro = coro
        self._over = False
        self._awaited: Any = None
        self._result: T | None = None
        try:
            self._awaited = coro.send(None)
        except StopIteration as finished:
            self._over = True
            self._result = finished.value
        else:
            if self._awaited is not None:
                self._awaited._asyncio_future_blocking = False  # see `Suspended`

    def __await__(self) -> Generator[Any, Any, T]:
        if self._over:
            return self._result  # type: ignore[return-value]  # it has ended with one
        coro, awaited = self._coro, self._awaited
        try:
            while True:
                if awaited is not None and awaited.done():
                    awaited = coro.send(None)  # without a turn of the loop in between
                    continue
                if awaited is not None:
                    awaited._asyncio_future_blocking = True
                try:
                    sent = yield awaited
                except GeneratorExit:
                    coro.close()
                    raise
                except BaseException as error:
                    awaited = coro.throw(error)
                else:
                    awaited = coro.send(sent)
        except StopIteration as finished:
            result: T = finished.value
            return result

    def close(self) -> None:
        """Let it be."""
        self._coro.close()


class _Rest:
    """Awaits what the first step of a coroutine was waiting for, then the coroutine."""

    __slots__ = ("_coro", "awaited", "over")

    def __init__(self, coro: Coroutine[Any, Any, T], awaited: Any) -> None:
        self._coro = coro
        self.awaited = awaited
        self.over = False
        """Whether there is nothing to await: the coroutine has ended in its first step."""

    def __await__(self) -> Generator[Any, Any, Any]:
        coro = self._coro
        awaited = None  # the parking place, which for a coroutine that only gave way (`sleep(0)`) is the waiting itself
        try:
            while True:
                try:
                    sent = yield awaited
                except GeneratorExit:
                    coro.close()
                    raise
                except BaseException as error:
                    if self.over:
                        return None
                    self.awaited = None
                    awaited = coro.throw(error)
                else:
                    if self.over:
                        return None
                    if self.awaited is None:
                        awaited = coro.send(sent)
                    else:
                        awaited, self.awaited = self.awaited, None
                        awaited._asyncio_future_blocking = True
        except StopIteration as finished:
            return finished.value


async def in_task(coro: Coroutine[Any, Any, T], waiting: set[asyncio.Task[Any]]) -> T:
    """The result of `coro`, for code that is not ours and may need a current task (see `run_eagerly`).

    The task begins at once; whoever awaits this waits only if the coroutine does, and for as long the task is among
    those `waiting`.
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
        """Start a task; whether it has ended already, and with which result."""
        task = asyncio.Task(coro, loop=asyncio.get_running_loop(), eager_start=True)
        return (task, True, task.result()) if task.done() else (task, False, None)

else:

    def begin(coro: Coroutine[Any, Any, T]) -> tuple[asyncio.Task[T], bool, T | None]:
        """Start a task; whether it has ended already, and with which result.

        The task is one that will await the rest, made the current one for the first step by the functions that asyncio
        has for others who implement tasks.
        """
        loop, rest = asyncio.get_running_loop(), _Rest(coro, None)
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

    async def _drive(rest: _Rest) -> Any:
        return await rest
