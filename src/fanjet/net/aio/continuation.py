"""What is left of a coroutine that somebody has stepped."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")
Done = Callable[[T | None, BaseException | None], None]
"""Told the result, or the error, of a coroutine."""


class Continuation:
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
