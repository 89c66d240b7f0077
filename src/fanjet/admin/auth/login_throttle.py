"""Brakes those who try passwords (10 H.2): by address, and without ever standing in the way of the right one."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

FAILURES: Final = 10
WINDOW_SECONDS: Final = 60.0
DELAY_SECONDS: Final = 1.0
"""How long the answer to a further wrong password is held back."""
MAX_ADDRESSES: Final = 10_000
"""Addresses that are remembered; who comes from more is not stopped by counting addresses."""


class Throttle:
    """Remembers the last failures of each address."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def count_failure(self, address: str, now: float) -> bool:
        """Note a wrong password at `now` (monotonic seconds). Whether there were too many before it."""
        failures = self._failures.setdefault(address, deque(maxlen=FAILURES))
        self._failures.move_to_end(address)
        if len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)
        exceeded = len(failures) == FAILURES and now - failures[0] < WINDOW_SECONDS
        failures.append(now)
        return exceeded
