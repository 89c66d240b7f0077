"""Measures the lag of the event loop: everything that it serves is delayed by it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from fanjet.net.timing_wheel import next_second
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from fanjet.telemetry.metrics import Registry

log = get_logger(__name__)

WARNING_SECONDS: Final = 0.5
"""A lag that clients notice."""
WARNING_INTERVAL: Final = 10.0
_BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class LoopLag:
    """Measures the lag every second and logs a warning when it is long."""

    def __init__(self, registry: Registry) -> None:
        name = "event_loop_lag_seconds"
        self._histogram = registry.own_histogram(name, "How late the event loop comes to what is due", _BOUNDS)
        self._call: asyncio.TimerHandle | None = None
        self._warned_at = -WARNING_INTERVAL

    def start(self) -> None:
        """Start in the running loop."""
        loop = asyncio.get_running_loop()
        self._schedule(loop)

    def stop(self) -> None:
        """Stop measuring."""
        if self._call is not None:
            self._call.cancel()

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        at = next_second(loop)
        self._call = loop.call_at(at, self._measure, loop, at)

    def _measure(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        now = loop.time()
        late = max(now - due, 0.0)
        self._histogram.observe(late)
        if late >= WARNING_SECONDS and now - self._warned_at >= WARNING_INTERVAL:
            self._warned_at = now
            log.warn("the event loop was held up", seconds=round(late, 3))
        self._schedule(loop)
