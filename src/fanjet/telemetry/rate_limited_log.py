"""A log with a rate limit: excess lines are counted, not written."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .logging import Log


class RateLimitedLog:
    """Writes at most `per_second` lines a second.

    The next line has the number of omitted lines in `omitted`. `clock` returns monotonic seconds.
    """

    def __init__(self, log: Log, per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._per_second = per_second
        self._clock = clock
        self._second = -1
        self._written = 0
        self._omitted = 0

    def info(self, message: str, /, **fields: object) -> None:
        """Log a normal event."""
        if self._allow():
            self._log.info(message, **fields, **self._omitted_field())

    def warn(self, message: str, /, **fields: object) -> None:
        """Log a likely mistake that does not fail."""
        if self._allow():
            self._log.warn(message, **fields, **self._omitted_field())

    def error(self, message: str, /, **fields: object) -> None:
        """Log a failure; pass the exception, or its text, as `error`."""
        if self._allow():
            self._log.error(message, **fields, **self._omitted_field())

    def _allow(self) -> bool:
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._written = 0
        if self._written >= self._per_second:
            self._omitted += 1
            return False
        self._written += 1
        return True

    def _omitted_field(self) -> dict[str, object]:
        omitted, self._omitted = self._omitted, 0
        return {"omitted": omitted} if omitted else {}
