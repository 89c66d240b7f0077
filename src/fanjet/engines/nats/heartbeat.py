"""Detects NATS connections that deliver nothing or are closed, and replaces them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final, Protocol

from fanjet.telemetry.logging import get_logger

log = get_logger(__name__)

PROBE_SECONDS: Final = 10.0
SILENCE_LIMIT: Final = 2.5
"""Probe intervals without a message until a connection counts as dead: one until the probe, one for its return."""
MAX_PAUSE: Final = 10
"""Longest pause between replacements, in probe intervals, when they have not helped repeatedly."""


class ProbedConnection(Protocol):
    """A connection that can be probed and replaced."""

    @property
    def is_closed(self) -> bool:
        """Whether the connection is closed.

        When it closes, `Heartbeat.wake` is to be called.
        """

    async def probe(self) -> bool:
        """Send a message that comes back to this node. Returns whether it was sent."""

    async def replace(self) -> None:
        """Open a new connection in its place; a failure is logged."""


class Heartbeat:
    """Replaces a connection that does not deliver a probe.

    The probe is sent after `seconds` without a message; when it does not come back in the same time, the connection is
    replaced.
    """

    def __init__(self, connection: ProbedConnection, seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds
        self._woken = asyncio.Event()
        self.can_probe = True
        """Whether the node may receive its own messages. If not, silence proves nothing."""
        self.received_at = 0.0
        """The event loop time of the last message."""

    @property
    def silence(self) -> float:
        """Seconds since the last message.

        Probes bound it: it exceeds twice the interval only while nothing is delivered.
        """
        return asyncio.get_running_loop().time() - self.received_at

    @property
    def is_silent(self) -> bool:
        """Whether a probe should have come back by now."""
        return self.can_probe and self.silence > SILENCE_LIMIT * self._seconds

    def wake(self) -> None:
        """Check now: the connection was closed."""
        self._woken.set()

    async def run(self) -> None:
        """Replace the connection whenever it is closed or silent."""
        attempts = 0
        while True:
            if not await self._needs_replacement():
                attempts = 0
                continue
            log.error("NATS connection is closed or receives nothing, replacing it", silence=round(self.silence, 1))
            await asyncio.sleep(min(2**attempts - 1, MAX_PAUSE) * self._seconds)
            attempts += 1
            await self._connection.replace()

    async def _needs_replacement(self) -> bool:
        """Wait until the next message or the end of a probe.

        Returns whether the connection is closed or silent.
        """
        received_at = self.received_at
        if await self._closed_within(max(0.0, self._seconds - self.silence)):
            return True
        if self.received_at > received_at:
            return False
        accepted = await self._connection.probe()
        if await self._closed_within(self._seconds):
            return True
        return accepted and self.can_probe and self.received_at == received_at

    async def _closed_within(self, seconds: float) -> bool:
        """Whether the connection is closed, now or within so many seconds."""
        if not self._connection.is_closed:
            self._woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._woken.wait()
        return self._connection.is_closed
