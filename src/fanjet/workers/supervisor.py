"""The supervisor of the workers and the memory engine.

Starts and restarts them, and forwards signals to them.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from typing import TYPE_CHECKING, Final

from fanjet.telemetry.logging import get_logger

from .control_channel import CollectedMetrics, CollectMetrics
from .engine import EngineSupervisor
from .metrics_aggregation import AggregatedMetrics, MetricsAggregation
from .role import ForwardingSpec
from .slot import Slot
from .socket_owner import ListeningSockets
from .watchdog import Watchdog
from .worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, MutableMapping
    from typing import Any

    from fanjet.config import Config
    from fanjet.net.systemd import PassedSockets, ServiceManager
    from fanjet.telemetry.metrics.graphite import GraphiteExporter

    from .control_channel import Message
    from .watchdog import WatchedProcess

GRACE: Final = 5.0
"""Seconds after the shutdown timeout, within which a worker exits by itself."""
HIGHEST_NUMBER: Final = 65535
"""The largest number of a started worker in connection ids of HTTP/3; the next one is 1."""
KEY_BYTES: Final = 32
SIGNAL_NAMES: Final = {signal.SIGINT: "interrupt", signal.SIGTERM: "terminated"}

log = get_logger(__name__)


class NotStarted(Exception):  # noqa: N818 (says what happened)
    """The first worker has exited before it accepted connections.

    The worker has logged the reason.
    """


class Supervisor:
    """Supervises the workers and the memory engine.

    `load_again` reloads the configuration for a rolling restart; it returns None if the configuration cannot be served,
    which has been logged. `needs_engine`: something is kept in memory, which workers have to share. `exporter` makes
    the exporter of the aggregated metrics, if any is configured.
    """

    def __init__(
        self,
        config: Config,
        passed: PassedSockets,
        service_manager: ServiceManager,
        environment: MutableMapping[str, str],
        *,
        load_again: Callable[[], Config | None],
        needs_engine: bool,
        exporter: Callable[[AggregatedMetrics], GraphiteExporter] | None = None,
    ) -> None:
        self._config = config
        self._environment = environment
        self._load_again = load_again
        self._service_manager = service_manager
        self._sockets = ListeningSockets(passed)
        self._engine = EngineSupervisor(environment) if needs_engine else None
        self._slots = [Slot(number + 1, self._start_worker, self._sockets) for number in range(config.fanjet.workers)]
        self._workers: set[Worker] = set()
        """All running workers, including those that have been replaced."""
        self._started = 0
        self._folder = tempfile.mkdtemp(prefix="fanjet-")
        """The folder of the sockets by which workers forward datagrams."""
        self._key = os.urandom(KEY_BYTES)
        self._watchdog = Watchdog(self._watched, lambda: self._config.fanjet.worker_timeout)
        self._aggregation = MetricsAggregation(self._workers)
        self._exporter = None if exporter is None else exporter(self._aggregated_metrics())
        self._stop_requested = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._rolling = False

    def _watched(self) -> list[WatchedProcess]:
        """All processes, the engine last.

        When all seem to hang, losing a worker does less harm.
        """
        engine = None if self._engine is None else self._engine.process
        return [*self._workers, *([] if engine is None else [engine])]

    def _aggregated_metrics(self) -> AggregatedMetrics:
        return AggregatedMetrics(
            self._aggregation,
            namespace=self._config.fanjet.metrics_namespace,
            native_histograms=self._config.prometheus.native_histograms,
        )

    # ------------------------------------------------------------------------------------------ life

    async def run(self) -> bool:
        """Serve until a signal ends it.

        False: a worker had to be killed or failed. Raises `NotStarted`.
        """
        self._listen_to_signals()
        try:
            if await self._start_unless_stopped():
                self._service_manager.notify_ready()
                if self._exporter is not None:
                    self._exporter.start()
                log.info("all workers accept connections", workers=len(self._slots))
                await self._stop_requested.wait()
        finally:
            is_clean = await self._stop()
        return is_clean

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in SIGNAL_NAMES:
            loop.add_signal_handler(number, self._stop_on_signal, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        loop.add_signal_handler(signal.SIGUSR2, self._restart_on_signal)

    async def _start_unless_stopped(self) -> bool:
        starting = asyncio.ensure_future(self._start())
        stopping = asyncio.ensure_future(self._stop_requested.wait())
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not starting.done():
            starting.cancel()
            return False
        await starting
        return True

    async def _start(self) -> None:
        """Start the first worker alone, so that a fatal problem is logged once."""
        self._run(self._watchdog.run())
        if self._engine is not None:
            self._run(self._engine.run())
            await self._engine.wait_listening()
        first, *further = self._slots
        if not await first.start():
            raise NotStarted
        self._run(first.run())
        await asyncio.gather(*map(self._start_further, further))

    async def _start_further(self, slot: Slot) -> None:
        await slot.start_persistently()
        self._run(slot.run())

    async def _start_worker(self, number: int) -> Worker:
        worker = Worker(number, self._sockets, self._on_received)
        self._started = self._started % HIGHEST_NUMBER + 1
        await worker.start(self._environment, self._engine, ForwardingSpec(self._folder, self._started, self._key))
        self._workers.add(worker)
        self._run(self._on_worker_exited(worker))
        return worker

    async def _on_worker_exited(self, worker: Worker) -> None:
        await worker.wait_exited()
        self._workers.discard(worker)
        self._aggregation.retain(worker)

    async def _stop(self) -> bool:
        """Close the listening sockets, stop all workers, then the engine."""
        self._service_manager.notify_stopping()
        if self._exporter is not None:
            await self._exporter.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._sockets.close()
        workers = list(self._workers)
        for worker in workers:
            worker.stop()
        timeout = self._config.shutdown.timeout + GRACE
        statuses = await asyncio.gather(*(worker.child.wait_exited(timeout) for worker in workers))
        if self._engine is not None:
            await self._engine.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
        return not any(
            status for worker, status in zip(workers, statuses, strict=True) if not worker.is_killed_on_shutdown
        )

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ------------------------------------------------------------------------------------------ signals

    def _stop_on_signal(self, number: signal.Signals) -> None:
        if not self._stop_requested.is_set():
            log.info(f"signal received: {SIGNAL_NAMES[number]}")
            self._stop_requested.set()

    def _reload(self) -> None:
        """Forward the signal; workers log the result."""
        log.info("signal received: hangup")
        self._service_manager.notify_reloading()
        for worker in self._workers:
            worker.reload()
        self._service_manager.notify_ready()

    def _restart_on_signal(self) -> None:
        log.info("signal received: user defined signal 2")
        if self._rolling:
            log.warn("a rolling restart is under way already")
        else:
            self._rolling = True
            self._run(self._restart_rolling())

    async def _restart_rolling(self) -> None:
        """Replace all workers sequentially."""
        try:
            config = self._load_again()
            if config is None:
                return
            if config.fanjet.workers != len(self._slots):
                log.warn("the number of workers changes only when all is started anew", workers=len(self._slots))
            log.info("rolling restart begins")
            for slot in self._slots:
                if not await slot.replace(self._config.shutdown.timeout + GRACE):
                    log.error("rolling restart stopped: the new worker does not come up", number=slot.number)
                    return
            self._config = config
            log.info("rolling restart is done")
        finally:
            self._rolling = False

    # ------------------------------------------------------------------------------------------ messages

    def _on_received(self, worker: Worker, message: Message) -> None:
        if isinstance(message, CollectMetrics):
            self._run(self._send_collected(worker, message.number))

    async def _send_collected(self, worker: Worker, number: int) -> None:
        worker.send(CollectedMetrics(number, await self._aggregation.collect()))
