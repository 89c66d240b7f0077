"""Lines that may come in storms: so many a second, then only their number."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .logging import Log


class LimitedLog:
    """Writes lines as long as there were no more than `per_second` in this second. The next line says how many were
    left out before it. `clock` gives monotonic seconds."""

    def __init__(self, log: Log, per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._per_second = per_second
        self._clock = clock
        self._second = -1
        self._written = 0
        self._omitted = 0

    def info(self, message: str, /, **fields: object) -> None:
        """Log what an operator expects to see."""
        if self._has_room():
            self._log.info(message, **fields, **self._left_out())

    def warn(self, message: str, /, **fields: object) -> None:
        """Log what works, and is likely a mistake."""
        if self._has_room():
            self._log.warn(message, **fields, **self._left_out())

    def error(self, message: str, /, **fields: object) -> None:
        """Log a failure; pass the exception, or its text, as `error`."""
        if self._has_room():
            self._log.error(message, **fields, **self._left_out())

    def _has_room(self) -> bool:
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._written = 0
        if self._written >= self._per_second:
            self._omitted += 1
            return False
        self._written += 1
        return True

    def _left_out(self) -> dict[str, object]:
        omitted, self._omitted = self._omitted, 0
        return {"omitted": omitted} if omitted else {}
