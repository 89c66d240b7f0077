"""Finds out that a connection to NATS is deaf, however alive it looks, or has given up, and has it replaced."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final, Protocol

from fanjet.telemetry.logging import get_logger

log = get_logger(__name__)

PROBE_SECONDS: Final = 10.0
DEAF_AFTER: Final = 2.5
"""Probe intervals of silence: one until the probe, one for it to come back."""
MOST_PAUSE: Final = 10
"""Intervals that a connection is left alone at most, when making it anew has not helped again and again."""


class Line(Protocol):
    """What may become deaf."""

    @property
    def has_given_up(self) -> bool:
        """Whether it brings nothing more. Who makes it so then calls `Heartbeat.wake`."""

    async def probe(self) -> bool:
        """Send a message that comes back to this node. Whether that could be done."""

    async def replace(self) -> None:
        """Make it anew; a failure is logged."""


class Heartbeat:
    """After `seconds` without any message a probe is sent; when that does not come back within as many, the line is
    replaced."""

    def __init__(self, line: Line, seconds: float) -> None:
        self._line = line
        self._seconds = seconds
        self._woken = asyncio.Event()
        self.may_probe = True
        """Whether the node is allowed to hear its own messages. If not, silence proves nothing."""
        self.heard_at = 0.0
        """When the last message came, in the loop's time."""

    @property
    def silence(self) -> float:
        """Seconds since anything was heard. Where there are no messages there are probes, so that it grows beyond
        twice the interval only while the node is deaf."""
        return asyncio.get_running_loop().time() - self.heard_at

    @property
    def has_stopped(self) -> bool:
        """Whether a probe would have come back by now."""
        return self.may_probe and self.silence > DEAF_AFTER * self._seconds

    def wake(self) -> None:
        """The line has given up, no need to wait for longer."""
        self._woken.set()

    async def keep(self) -> None:
        """Replace the line whenever it is deaf, for ever."""
        vain = 0
        while True:
            if not await self._is_deaf():
                vain = 0
                continue
            log.error("NATS connection is deaf, making another one", silence=round(self.silence, 1))
            await asyncio.sleep(min(2**vain - 1, MOST_PAUSE) * self._seconds)
            vain += 1
            await self._line.replace()

    async def _is_deaf(self) -> bool:
        """Whether it has given up, or hears nothing although something was published. Takes its time to find out."""
        heard_at = self.heard_at
        if await self._gives_up_within(max(0.0, self._seconds - self.silence)):
            return True
        if self.heard_at > heard_at:
            return False
        accepted = await self._line.probe()
        if await self._gives_up_within(self._seconds):
            return True
        return accepted and self.may_probe and self.heard_at == heard_at

    async def _gives_up_within(self, seconds: float) -> bool:
        """Whether it has given up; waits so many seconds for that."""
        if not self._line.has_given_up:
            self._woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._woken.wait()
        return self._line.has_given_up
