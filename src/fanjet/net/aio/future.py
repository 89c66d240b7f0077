"""What an engine will answer, for who is called on by the answer itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator

    from .continuation import Done

T = TypeVar("T")


class DirectFuture(Struct, Generic[T], eq=False, gc=False):
    """For whoever reads answers it is a future. Who waits with `after` and `start` pays half of one: what follows is
    called in the step that has read the answer, without a turn of the loop in between. Others await it, once.
    """

    _loop: asyncio.AbstractEventLoop
    _follow: Callable[[T], None] | None = None
    _tell: Done[Any] | None = None
    _awaited: asyncio.Future[T] | None = None
    _over: bool = False
    _result: T | None = None
    _error: Exception | None = None

    # Who waits.

    def then(self, follow: Callable[[T], None]) -> None:
        """Have the answer handed on, once `go_on` has been called. See `after`."""
        self._follow = follow

    def go_on(self, done: Done[Any]) -> None:
        """See `Suspended`."""
        self._tell = done
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
        """An exception knows the frames that it has passed, hence the promise: nobody else would part the two."""
        self._over = True
        self._awaited = self._error = None

    # Who answers.

    def done(self) -> bool:
        """Whether nobody wants an answer any more."""
        return self._over or (self._awaited is not None and self._awaited.done())

    def set_result(self, result: T) -> None:
        """Answer."""
        self._over = True
        self._result = result
        if self._tell is not None:
            self._end()
        elif self._awaited is not None:
            self._awaited.set_result(result)

    def set_exception(self, error: Exception) -> None:
        """Fail. What follows is called later: this may be called in anybody's step."""
        self._over = True
        self._error = error
        if self._tell is not None:
            self._loop.call_soon(self._end)
        elif self._awaited is not None:
            self._awaited.set_exception(error)

    def _end(self) -> None:
        follow, tell = self._follow, self._tell
        assert follow is not None
        assert tell is not None
        error: BaseException | None = self._error
        if error is None:
            try:
                follow(self._result)  # type: ignore[arg-type]  # it is over
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as failure:
                error = failure
        try:
            tell(None, error)
        except Exception as failure:  # who answers has more answers to give
            self._loop.call_exception_handler({"message": "error after an answer", "exception": failure})
