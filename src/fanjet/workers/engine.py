"""The process that keeps in memory what all workers share."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fanjet.telemetry.logging import get_logger

from .child import describe, spawn
from .place import EnginePlace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .child import Child

PAUSE: Final = 1.0
"""Seconds before the engine is started again, when it did not live long."""
LOOK_SECONDS: Final = 0.02
STOP_SECONDS: Final = 5.0

log = get_logger(__name__)


class EngineKeeper:
    """Keeps the engine running, always on the same socket, as long as this process or any worker holds `life`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._folder = tempfile.mkdtemp(prefix="fanjet-")
        self.path = str(Path(self._folder, "engine"))
        """Where workers find it."""
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(self.path)
        self._ends, self.life = os.pipe()
        self._child: Child | None = None

    async def listens(self) -> None:
        """Wait until the first one listens. Later ones are awaited by the workers, as is whatever they lose."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            while probe.connect_ex(self.path):  # noqa: ASYNC110 - another process cannot set an event here
                await asyncio.sleep(LOOK_SECONDS)

    async def _spawn(self) -> Child:
        place = EnginePlace(self._listening.fileno(), self._ends)
        return await spawn(place, self._environment, [self._listening.fileno(), self._ends])

    async def keep(self) -> None:
        """Start another one whenever it has ended, for ever. What it kept is lost."""
        while True:
            self._child = await self._spawn()
            await asyncio.sleep(PAUSE)
            status = await self._child.exited()
            log.error("engine has ended, starting another", pid=self._child.pid, status=describe(status))

    async def stop(self) -> None:
        """Let it end, and wait for that: no worker is left."""
        os.close(self.life)
        os.close(self._ends)
        if self._child is not None:
            await self._child.ended_within(STOP_SECONDS)
        self._listening.close()
        with contextlib.suppress(OSError):
            shutil.rmtree(self._folder)
