"""A worker's end of the control channel to its supervisor."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from fanjet.telemetry.logging import get_logger

from .control_channel import (
    CollectedMetrics,
    CollectMetrics,
    ControlChannel,
    MetricsReport,
    Ping,
    Pong,
    Ready,
    Reload,
    ReportMetrics,
    Stop,
)
from .datagram_forwarding import DatagramForwarder
from .socket_requests import SupervisorSockets

if TYPE_CHECKING:
    from collections.abc import Callable

    from .control_channel import Message
    from .role import WorkerRole

GATHER_SECONDS: Final = 10.0

log = get_logger(__name__)


class SupervisorLost(Exception):  # noqa: N818 (says what happened)
    """The supervisor does not reply."""


class ControlClient:
    """Receives requests of the supervisor, and reports readiness and metrics to it."""

    def __init__(self, role: WorkerRole) -> None:
        self.number = role.number
        self.engine = role.engine
        """Path of the memory engine's socket; empty: no engine in memory is used."""
        self._forwarder = DatagramForwarder(role.forwarding.folder, role.forwarding.number, role.forwarding.key)
        self.addresses = SupervisorSockets(role.sockets, self._forwarder)
        self._role = role
        self._control = ControlChannel(self._on_received, self._on_closed)
        self._stop: Callable[[], None] = lambda: None
        self._reload: Callable[[], None] = lambda: None
        self._metrics: Callable[[], bytes] = bytes
        self._collecting: dict[int, asyncio.Future[list[bytes]]] = {}
        self._last_number = 0
        self._is_orphan = False
        """Whether the supervisor has exited."""

    async def open(self, *, stop: Callable[[], None], reload: Callable[[], None], metrics: Callable[[], bytes]) -> None:
        """Open the channel.

        `stop` is called on request of the supervisor, and when it has exited.
        """
        self._stop, self._reload, self._metrics = stop, reload, metrics
        self._role.control.setblocking(False)
        await self._control.open(self._role.control)

    def notify_ready(self) -> None:
        """Report that connections are accepted."""
        self._control.send(Ready())

    def close(self) -> None:
        """Send the last metrics and close the channel.

        The metrics are sent so that sums of counters do not fall.
        """
        self._control.send(MetricsReport(0, self._metrics()))
        self._control.close()
        if self._is_orphan:
            self._forwarder.remove_folder()

    async def collect_metrics(self) -> list[bytes]:
        """The metrics of all processes. Raises `SupervisorLost`."""
        self._last_number += 1
        number = self._last_number
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[list[bytes]] = loop.create_future()
        self._collecting[number] = reply
        timeout = loop.call_later(GATHER_SECONDS, self._kill_hung, reply)
        self._control.send(CollectMetrics(number))
        try:
            return await reply
        finally:
            timeout.cancel()
            del self._collecting[number]

    def _kill_hung(self, reply: asyncio.Future[list[bytes]]) -> None:
        if not reply.done():
            reply.set_exception(SupervisorLost("the supervisor does not reply"))

    def _on_received(self, message: Message) -> None:
        if isinstance(message, Ping):
            self._control.send(Pong())
        elif isinstance(message, Stop):
            self._forwarder.replaced = message.replaced
            self._stop()
        elif isinstance(message, Reload):
            self._reload()
        elif isinstance(message, ReportMetrics):
            self._control.send(MetricsReport(message.number, self._metrics()))
        elif isinstance(message, CollectedMetrics):
            reply = self._collecting.get(message.number)
            if reply is not None and not reply.done():
                reply.set_result(message.parts)

    def _on_closed(self) -> None:
        self._is_orphan = True
        self._stop()
