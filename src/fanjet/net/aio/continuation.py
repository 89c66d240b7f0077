"""The continuation of a coroutine whose first step has run."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")
Done = Callable[[T | None, BaseException | None], None]
"""Called with the result or the error of a coroutine."""


class Continuation:
    """Awaits what the first step of a coroutine awaits, then the coroutine."""

    __slots__ = ("_coro", "awaited", "over")

    def __init__(self, coro: Coroutine[Any, Any, T], awaited: Any) -> None:
        self._coro = coro
        self.awaited = awaited
        self.over = False
        """Whether the coroutine ended in its first step, so that there is nothing to await."""

    def __await__(self) -> Generator[Any, Any, Any]:
        coro = self._coro
        awaited = None  # parks here; a coroutine that only yielded (`sleep(0)`) waits for nothing else
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
