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
from .control_channel import Alive, Ask, Line, Ready
from .role import EnginePlace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .child import Child
    from .control_channel import Message
    from .role import Engine

PAUSE: Final = 1.0
"""Seconds before the engine is started again, when it did not live long."""
LOOK_SECONDS: Final = 0.02
STOP_SECONDS: Final = 5.0

log = get_logger(__name__)


class EngineProcess:
    """One such process, as the supervisor sees it (`watch.Watched`)."""

    title = "engine"
    details: Mapping[str, object] = {}

    def __init__(self) -> None:
        self.unanswered = 0
        self._ready = self._ended = False
        self._line = Line(self._take, self._lost)
        self._child: Child | None = None

    async def start(self, environment: Mapping[str, str], listening: int, ends: int) -> None:
        """Start it. Descriptors: what it listens on, and what tells it that nobody is left."""
        line, its_line = socket.socketpair()
        with its_line:
            place = EnginePlace(listening, ends, its_line.fileno())
            self._child = await spawn(place, environment, [listening, ends, its_line.fileno()])
        line.setblocking(False)
        await self._line.open(line)

    @property
    def child(self) -> Child:
        """Its process, once it has been started."""
        if self._child is None:
            raise RuntimeError("the engine has not been started")
        return self._child

    @property
    def is_ready(self) -> bool:
        """See `Watched`."""
        return self._ready and self._runs

    @property
    def is_starting(self) -> bool:
        """See `Watched`."""
        return not self._ready and self._runs

    @property
    def _runs(self) -> bool:
        return self.child.running and not self._ended

    def ask(self) -> None:
        """See `Watched`."""
        self.unanswered += 1
        self._line.send(Ask())

    def _take(self, message: Message) -> None:
        self.unanswered = 0
        if isinstance(message, Ready):
            self._ready = True

    def _lost(self) -> None:
        self._ended = True


class EngineKeeper:
    """Keeps the engine running, always on the same socket, as long as this process or any worker holds `life`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Raises `OSError` when there is no place for the socket."""
        self._environment = environment
        self._folder = tempfile.mkdtemp(prefix="fanjet-")
        self.path = str(Path(self._folder, "engine"))
        """Where workers find it."""
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listening.bind(self.path)
        except OSError as error:
            os.rmdir(self._folder)
            raise OSError(f"{self.path}: {error}") from error
        self._ends, self.life = os.pipe()
        self.process: EngineProcess | None = None
        """The one that is, or is coming to be, the engine."""

    async def listens(self) -> None:
        """Wait until the first one listens. Later ones are awaited by the workers, as is whatever they lose."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            while probe.connect_ex(self.path):  # noqa: ASYNC110 - another process cannot set an event here
                await asyncio.sleep(LOOK_SECONDS)

    async def keep(self) -> None:
        """Start another one whenever it has ended, for ever. What it kept is lost."""
        while True:
            process = await self._started()
            await asyncio.sleep(PAUSE)
            if process is not None:
                status = await process.child.exited()
                log.error("engine has ended, starting another", pid=process.child.pid, status=describe(status))

    async def _started(self) -> EngineProcess | None:
        """A new one; None: the system has no room for it, as when it has run out of memory or files."""
        try:
            process = EngineProcess()
            await process.start(self._environment, self._listening.fileno(), self._ends)
        except OSError as error:
            log.error("cannot start the engine", error=error)
            return None
        self.process = process
        return process

    async def stop(self) -> None:
        """Let it end, and wait for that: no worker is left."""
        os.close(self.life)
        os.close(self._ends)
        if self.process is not None:
            await self.process.child.ended_within(STOP_SECONDS)
        self._listening.close()
        with contextlib.suppress(OSError):
            shutil.rmtree(self._folder)


def remove_socket(path: str) -> None:
    """In the engine's process, when nobody is left: the supervisor may have been killed, who would do it else."""
    with contextlib.suppress(OSError):
        os.unlink(path)
        Path(path).parent.rmdir()


async def answer_supervisor(place: Engine) -> None:
    """In the engine's process: tell the supervisor that it has begun, and whenever it asks, that it is still alive."""

    def take(message: Message) -> None:
        if isinstance(message, Ask):
            line.send(Alive())

    place.line.setblocking(False)
    line = Line(take, lambda: None)
    await line.open(place.line)
    line.send(Ready())
