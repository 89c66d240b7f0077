"""Checks stream positions after a broker outage.

The checks do not wait for the next publications.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .channel import LiveChannel
    from .hub import Hub

log = get_logger(__name__)

MAX_CONCURRENT: Final = 256
"""Channels whose streams are read concurrently, which remote engines do in one batch."""


class PositionChecks:
    """Checks positions when the broker is available again.

    Runs `check` for every channel with positioned subscribers.
    """

    def __init__(self, hub: Hub, check: Callable[[LiveChannel], Awaitable[None]]) -> None:
        self._hub = hub
        self._check = check
        self._running: asyncio.Task[None] | None = None
        hub.on_broker_restored = self.start

    def start(self) -> None:
        """Check all channels; restarts a check under way."""
        self.stop()
        self._running = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """Cancel a check under way."""
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> None:
        channels = [channel for channel in self._hub.channels.values() if channel.positioned or channel.ungrouped]
        for start in range(0, len(channels), MAX_CONCURRENT):
            await asyncio.gather(*map(self._check, channels[start : start + MAX_CONCURRENT]))
        log.info("checked stream positions after a loss of the broker", channels=len(channels))
