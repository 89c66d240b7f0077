"""The memory engine's process and control channel.

Contains the supervisor's view of the process, and the engine's end of the control channel.
"""

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

from .child import describe_status, spawn
from .control_channel import ControlChannel, Ping, Pong, Ready
from .role import EngineSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .child import Child
    from .control_channel import Message
    from .role import EngineRole

MIN_INTERVAL: Final = 1.0
"""Minimum time between two starts of the engine."""
POLL_SECONDS: Final = 0.02
STOP_SECONDS: Final = 5.0

log = get_logger(__name__)


class EngineProcess:
    """An engine process (`watchdog.WatchedProcess`)."""

    title = "engine"
    details: Mapping[str, object] = {}

    def __init__(self) -> None:
        self.unanswered_pings = 0
        self._ready = self._ended = False
        self._control = ControlChannel(self._on_received, self._on_closed)
        self._child: Child | None = None

    async def start(self, environment: Mapping[str, str], listening: int, liveness: int) -> None:
        """Start the process.

        It inherits the descriptors of its listening socket and of the liveness pipe.
        """
        control, its_control = socket.socketpair()
        with its_control:
            spec = EngineSpec(listening, liveness, its_control.fileno())
            self._child = await spawn(spec, environment, [listening, liveness, its_control.fileno()])
        control.setblocking(False)
        await self._control.open(control)

    @property
    def child(self) -> Child:
        """Its process. Raises `RuntimeError` before the start."""
        if self._child is None:
            raise RuntimeError("the engine has not been started")
        return self._child

    @property
    def is_ready(self) -> bool:
        """See `WatchedProcess`."""
        return self._ready and self._runs

    @property
    def is_starting(self) -> bool:
        """See `WatchedProcess`."""
        return not self._ready and self._runs

    @property
    def _runs(self) -> bool:
        return self.child.running and not self._ended

    def ping(self) -> None:
        """See `WatchedProcess`."""
        self.unanswered_pings += 1
        self._control.send(Ping())

    def _on_received(self, message: Message) -> None:
        self.unanswered_pings = 0
        if isinstance(message, Ready):
            self._ready = True

    def _on_closed(self) -> None:
        self._ended = True


class EngineSupervisor:
    """Keeps the engine running on the same socket.

    The engine exits when this process and all workers have closed the writing end of the liveness pipe, `liveness_end`.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Raises `OSError` when the socket cannot be bound."""
        self._environment = environment
        self._folder = tempfile.mkdtemp(prefix="fanjet-")
        self.path = str(Path(self._folder, "engine"))
        """The path of the engine's socket, for workers."""
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listening.bind(self.path)
        except OSError as error:
            os.rmdir(self._folder)
            raise OSError(f"{self.path}: {error}") from error
        self._liveness, self.liveness_end = os.pipe()
        self.process: EngineProcess | None = None
        """The present process, ready or starting."""

    async def wait_listening(self) -> None:
        """Wait until the first process listens.

        For later ones workers reconnect themselves.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            while probe.connect_ex(self.path):  # noqa: ASYNC110 - another process cannot set an event here
                await asyncio.sleep(POLL_SECONDS)

    async def run(self) -> None:
        """Restart the engine whenever it has exited. Its memory is lost then."""
        while True:
            process = await self._started()
            await asyncio.sleep(MIN_INTERVAL)
            if process is not None:
                status = await process.child.exited()
                log.error("engine has ended, starting another", pid=process.child.pid, status=describe_status(status))

    async def _started(self) -> EngineProcess | None:
        """Start a process; return None if the system cannot start one.

        The reason may be a lack of memory or of file descriptors.
        """
        try:
            process = EngineProcess()
            await process.start(self._environment, self._listening.fileno(), self._liveness)
        except OSError as error:
            log.error("cannot start the engine", error=error)
            return None
        self.process = process
        return process

    async def stop(self) -> None:
        """Stop the engine after the last worker has exited, and wait for it."""
        os.close(self.liveness_end)
        os.close(self._liveness)
        if self.process is not None:
            await self.process.child.wait_exited(STOP_SECONDS)
        self._listening.close()
        with contextlib.suppress(OSError):
            shutil.rmtree(self._folder)


def remove_socket(path: str) -> None:
    """Remove the engine's socket, in the engine's process.

    The supervisor removes it otherwise, but it may have been killed.
    """
    with contextlib.suppress(OSError):
        os.unlink(path)
        Path(path).parent.rmdir()


async def answer_supervisor(role: EngineRole) -> None:
    """Report readiness to the supervisor and reply to its pings.

    Runs in the engine's process.
    """

    def on_received(message: Message) -> None:
        if isinstance(message, Ping):
            control.send(Pong())

    role.control.setblocking(False)
    control = ControlChannel(on_received, lambda: None)
    await control.open(role.control)
    control.send(Ready())
