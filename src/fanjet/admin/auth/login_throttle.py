"""Throttles wrong passwords by address, but never the right one (10 H.2)."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

FAILURES: Final = 10
WINDOW_SECONDS: Final = 60.0
DELAY_SECONDS: Final = 1.0
"""Delay of the response to a further wrong password."""
MAX_ADDRESSES: Final = 10_000
"""Maximum number of addresses kept. An attacker with more addresses cannot be throttled by address anyway."""


class LoginThrottle:
    """Keeps the latest failures of each address."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def record_failure(self, address: str, now: float) -> bool:
        """Record a wrong password at `now` (monotonic seconds).

        Return whether the limit was reached before it.
        """
        failures = self._failures.setdefault(address, deque(maxlen=FAILURES))
        self._failures.move_to_end(address)
        if len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)
        exceeded = len(failures) == FAILURES and now - failures[0] < WINDOW_SECONDS
        failures.append(now)
        return exceeded
