"""Runs several coroutines concurrently without a task for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

T = TypeVar("T")


class StartedCoroutine(Generic[T]):
    """A coroutine stepped eagerly, without a task, until it has to wait.

    Must be awaited once or closed. Raises what its first step raised.
    """

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
        """Close the coroutine."""
        self._coro.close()
