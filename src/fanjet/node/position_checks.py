"""Positions are checked when the broker comes back from a loss: nobody waits for the next publication to learn it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .channel import LiveChannel
    from .hub import Hub

log = get_logger(__name__)

MOST_AT_ONCE: Final = 256
"""Channels whose streams are read at the same time, which remote engines do in one go."""


class PositionChecks:
    """Runs `check` for every channel that had positioned subscribers when the broker came back."""

    def __init__(self, hub: Hub, check: Callable[[LiveChannel], Awaitable[None]]) -> None:
        self._hub = hub
        self._check = check
        self._running: asyncio.Task[None] | None = None
        hub.when_restored = self.begin

    def begin(self) -> None:
        """Check all, from the first one on, even if that was going on."""
        self.stop()
        self._running = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """Check no more."""
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> None:
        channels = [channel for channel in self._hub.channels.values() if channel.positioned or channel.apart]
        for start in range(0, len(channels), MOST_AT_ONCE):
            await asyncio.gather(*map(self._check, channels[start : start + MOST_AT_ONCE]))
        log.info("checked stream positions after a loss of the broker", channels=len(channels))
