"""The supervisor's view of a worker process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Final

import msgspec

from .child import spawn
from .control_channel import ControlChannel, MetricsReport, Ping, Pong, Ready, Reload, ReportMetrics, Stop
from .role import WorkerSpec
from .socket_requests import decode_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .child import Child
    from .control_channel import Message
    from .engine import EngineSupervisor
    from .role import ForwardingSpec
    from .socket_owner import ListeningSockets

MAX_REQUEST: Final = 65536


class WorkerGone(Exception):  # noqa: N818 (says what happened)
    """The worker has exited."""


class Worker:
    """A worker process (`watchdog.WatchedProcess`).

    `on_message` gets the messages that are not handled here.
    """

    title = "worker"

    def __init__(self, number: int, sockets: ListeningSockets, on_message: Callable[[Worker, Message], None]) -> None:
        self.number = number
        self.last_metrics = b""
        """Its latest metrics."""
        self.unanswered_pings = 0
        """See `WatchedProcess`."""
        self.is_killed_on_shutdown = False
        """Whether it was killed while starting, because the supervisor stops."""
        self._sockets = sockets
        self._on_message = on_message
        self._ready = asyncio.Event()
        self._control = ControlChannel(self._on_received, self._on_closed)
        self._control_closed = asyncio.Event()
        self._reports: dict[int, asyncio.Future[bytes]] = {}
        self._child: Child | None = None

    @property
    def details(self) -> Mapping[str, object]:
        """See `WatchedProcess`."""
        return {"number": self.number}

    @property
    def child(self) -> Child:
        """Its process. Raises `RuntimeError` before the start."""
        if self._child is None:
            raise RuntimeError("the worker has not been started")
        return self._child

    @property
    def is_ready(self) -> bool:
        """Whether the worker is ready.

        It accepts connections, still runs, and has not closed the control channel.
        """
        return self._ready.is_set() and self._runs

    @property
    def is_starting(self) -> bool:
        """See `WatchedProcess`."""
        return not self._ready.is_set() and self._runs

    @property
    def _runs(self) -> bool:
        return self.child.running and not self._control_closed.is_set()

    async def start(
        self, environment: Mapping[str, str], engine: EngineSupervisor | None, forwarding: ForwardingSpec
    ) -> None:
        """Start the process."""
        control, its_control = socket.socketpair()
        requests, its_requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sockets.begin_requests(self.number)
        path = "" if engine is None else engine.path
        spec = WorkerSpec(self.number, its_control.fileno(), its_requests.fileno(), path, forwarding)
        descriptors = [its_control.fileno(), its_requests.fileno()]
        if engine is not None:
            descriptors.append(engine.liveness_end)
        with its_control, its_requests:
            self._child = await spawn(spec, environment, descriptors)
        control.setblocking(False)
        requests.setblocking(False)
        asyncio.get_running_loop().add_reader(requests, self._reply, requests)
        self._child.on_exit(lambda: _close(requests))
        await self._control.open(control)

    def _reply(self, requests: socket.socket) -> None:
        """Send the sockets that the worker has requested."""
        if self._sockets.is_closed:
            self.is_killed_on_shutdown = True
            self.child.kill()
            return
        with contextlib.suppress(OSError):  # it has exited
            reply, sockets = self._sockets.handle(self.number, decode_request(requests.recv(MAX_REQUEST)))
            socket.send_fds(requests, [msgspec.msgpack.encode(reply)], [each.fileno() for each in sockets])

    async def wait_ready(self, within: float | None = None) -> bool:
        """Wait until it accepts connections.

        False: it has exited, or is not ready within so many seconds.
        """
        ready = asyncio.ensure_future(self._ready.wait())
        exited = asyncio.ensure_future(self.child.exited())
        await asyncio.wait((ready, exited), timeout=within, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        exited.cancel()
        return self.is_ready

    async def wait_exited(self) -> None:
        """Wait until it has exited and all its messages have been received."""
        await self.child.exited()
        await self._control_closed.wait()

    def stop(self, *, replaced: bool = False) -> None:
        """Request a shutdown. `replaced`: another worker has replaced it."""
        self._control.send(Stop(replaced))

    def reload(self) -> None:
        """Request a reload of the configuration."""
        self._control.send(Reload())

    def ping(self) -> None:
        """See `WatchedProcess`."""
        self.unanswered_pings += 1
        self._control.send(Ping())

    def send(self, message: Message) -> None:
        """Send a control message."""
        self._control.send(message)

    async def report(self, number: int) -> bytes:
        """Request its current metrics. Raises `WorkerGone` when it exits meanwhile."""
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._reports[number] = reply
        self._control.send(ReportMetrics(number))
        try:
            return await reply
        finally:
            del self._reports[number]

    def _on_received(self, message: Message) -> None:
        if isinstance(message, Ready | Pong):
            self.unanswered_pings = 0
            if isinstance(message, Ready):
                self._ready.set()
        elif isinstance(message, MetricsReport):
            self.last_metrics = message.metrics
            waiting = self._reports.get(message.number)
            if waiting is not None and not waiting.done():
                waiting.set_result(message.metrics)
        else:
            self._on_message(self, message)

    def _on_closed(self) -> None:
        self._control_closed.set()
        for report in self._reports.values():
            if not report.done():
                report.set_exception(WorkerGone())


def _close(requests: socket.socket) -> None:
    asyncio.get_running_loop().remove_reader(requests)
    requests.close()
