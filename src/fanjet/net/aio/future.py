"""A future that calls its continuation directly, for engine calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator

    from .continuation import Done

T = TypeVar("T")


class DirectFuture(Struct, Generic[T], eq=False, gc=False):
    """A future for the code that completes it.

    Used with `after` and `start` it costs half as much: the continuation is called in the step that has read the
    response, without a turn of the event loop. It may also be awaited, once.
    """

    _loop: asyncio.AbstractEventLoop
    _follow: Callable[[T], None] | None = None
    _done: Done[Any] | None = None
    _awaited: asyncio.Future[T] | None = None
    _over: bool = False
    _result: T | None = None
    _error: Exception | None = None

    # For the consumer.

    def then(self, follow: Callable[[T], None]) -> None:
        """Set the callback for the result; it is called after `go_on`. See `after`."""
        self._follow = follow

    def go_on(self, done: Done[Any]) -> None:
        """See `Suspended`."""
        self._done = done
        if self._over:
            self._loop.call_soon(self._end)

    def __await__(self) -> Generator[Any, Any, T]:
        if not self._over:
            self._awaited = self._loop.create_future()
            try:
                return (yield from self._awaited)
            finally:
                self._let_go()
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._let_go()
        return self._result  # type: ignore[return-value]  # it is over

    def _let_go(self) -> None:
        """Break the reference cycle of the future and its exception.

        An exception refers to the frames it passed, and they refer to this future.
        """
        self._over = True
        self._awaited = self._error = None

    # For the producer.

    def done(self) -> bool:
        """Whether no result is wanted any more."""
        return self._over or (self._awaited is not None and self._awaited.done())

    def set_result(self, result: T) -> None:
        """Complete with a result."""
        self._over = True
        self._result = result
        if self._done is not None:
            self._end()
        elif self._awaited is not None:
            self._awaited.set_result(result)

    def set_exception(self, error: Exception) -> None:
        """Complete with an error.

        The continuation is called in a later turn: this may be called in any step.
        """
        self._over = True
        self._error = error
        if self._done is not None:
            self._loop.call_soon(self._end)
        elif self._awaited is not None:
            self._awaited.set_exception(error)

    def _end(self) -> None:
        follow, done = self._follow, self._done
        assert follow is not None
        assert done is not None
        error: BaseException | None = self._error
        if error is None:
            try:
                follow(self._result)  # type: ignore[arg-type]  # it is over
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as failure:
                error = failure
        try:
            done(None, error)
        except Exception as failure:  # the producer must go on to its other futures
            self._loop.call_exception_handler({"message": "error after an answer", "exception": failure})
