"""The parent of all workers: accepts nothing, keeps them running, and passes on what it is told by signals."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from typing import TYPE_CHECKING, Final

from fanjet.telemetry.logging import get_logger

from .control_channel import Gather, Gathered
from .engine import EngineKeeper
from .metrics_aggregation import AllMetrics, Gathering
from .role import PostPlace
from .slot import Slot
from .socket_owner import Keeper
from .watchdog import Watch
from .worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, MutableMapping
    from typing import Any

    from fanjet.config import Config
    from fanjet.net.systemd import PassedSockets, ServiceManager
    from fanjet.telemetry.metrics.graphite import GraphiteExporter

    from .control_channel import Message
    from .watchdog import Watched

GRACE: Final = 5.0
"""Seconds beyond the timeout of shutdowns, in which a worker gives up by itself."""
HIGHEST_NUMBER: Final = 65535
"""Of all workers that were ever started, in the connection ids of HTTP/3; then numbers begin anew."""
KEY_BYTES: Final = 32
SIGNAL_NAMES: Final = {signal.SIGINT: "interrupt", signal.SIGTERM: "terminated"}

log = get_logger(__name__)


class NotStarted(Exception):  # noqa: N818 (says what happened)
    """The first worker has ended before it accepted connections; it has said why."""


class Supervisor:
    """`again` loads the configuration anew for a rolling restart; None: it cannot be served, and that has been said.
    `needs_engine`: something is kept in memory, which workers have to share. `exporter` makes what sends the metrics of
    all somewhere, if anything does."""

    def __init__(
        self,
        config: Config,
        passed: PassedSockets,
        service_manager: ServiceManager,
        environment: MutableMapping[str, str],
        *,
        again: Callable[[], Config | None],
        needs_engine: bool,
        exporter: Callable[[AllMetrics], GraphiteExporter] | None = None,
    ) -> None:
        self._config = config
        self._environment = environment
        self._again = again
        self._service_manager = service_manager
        self._keeper = Keeper(passed)
        self._engine = EngineKeeper(environment) if needs_engine else None
        self._slots = [Slot(number + 1, self._start_worker, self._keeper) for number in range(config.fanjet.workers)]
        self._workers: set[Worker] = set()
        """All that run, those that have been replaced included."""
        self._started = 0
        self._folder = tempfile.mkdtemp(prefix="fanjet-")
        """Where workers have the sockets by which they reach each other."""
        self._key = os.urandom(KEY_BYTES)
        self._watch = Watch(self._watched, lambda: self._config.fanjet.worker_timeout)
        self._gathering = Gathering(self._workers)
        self._exporter = None if exporter is None else exporter(self._all_metrics())
        self._stop_requested = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._rolling = False

    def _watched(self) -> list[Watched]:
        """The engine last: when everything seems to hang, a worker is the smaller loss."""
        engine = None if self._engine is None else self._engine.process
        return [*self._workers, *([] if engine is None else [engine])]

    def _all_metrics(self) -> AllMetrics:
        return AllMetrics(
            self._gathering,
            namespace=self._config.fanjet.metrics_namespace,
            native_histograms=self._config.prometheus.native_histograms,
        )

    # ------------------------------------------------------------------------------------------ life

    async def run(self) -> bool:
        """Serve until a signal ends it. False: some worker had to be ended by force. Raises `NotStarted`."""
        self._listen_to_signals()
        try:
            if await self._start_unless_stopped():
                self._service_manager.notify_ready()
                if self._exporter is not None:
                    self._exporter.start()
                log.info("all workers accept connections", workers=len(self._slots))
                await self._stop_requested.wait()
        finally:
            well = await self._stop()
        return well

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in SIGNAL_NAMES:
            loop.add_signal_handler(number, self._stop_on_signal, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        loop.add_signal_handler(signal.SIGUSR2, self._roll_on_signal)

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
        """The first worker alone: what is wrong is so said once."""
        self._run(self._watch.keep())
        if self._engine is not None:
            self._run(self._engine.keep())
            await self._engine.listens()
        first, *others = self._slots
        if not await first.start():
            raise NotStarted
        self._run(first.keep())
        await asyncio.gather(*map(self._start_further, others))

    async def _start_further(self, slot: Slot) -> None:
        await slot.insist()
        self._run(slot.keep())

    async def _start_worker(self, number: int) -> Worker:
        worker = Worker(number, self._keeper, self._take)
        self._started = self._started % HIGHEST_NUMBER + 1
        await worker.start(self._environment, self._engine, PostPlace(self._folder, self._started, self._key))
        self._workers.add(worker)
        self._run(self._see_off(worker))
        return worker

    async def _see_off(self, worker: Worker) -> None:
        await worker.gone()
        self._workers.discard(worker)
        self._gathering.keep_counts(worker)

    async def _stop(self) -> bool:
        """Refuse connections, have the workers shut down, and after them the engine."""
        self._service_manager.notify_stopping()
        if self._exporter is not None:
            await self._exporter.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._keeper.close()
        workers = list(self._workers)
        for worker in workers:
            worker.stop()
        patience = self._config.shutdown.timeout + GRACE
        statuses = await asyncio.gather(*(worker.child.ended_within(patience) for worker in workers))
        if self._engine is not None:
            await self._engine.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
        return not any(status for worker, status in zip(workers, statuses, strict=True) if not worker.is_dismissed)

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
        """Workers say what has come of it."""
        log.info("signal received: hangup")
        self._service_manager.notify_reloading()
        for worker in self._workers:
            worker.reload()
        self._service_manager.notify_ready()

    def _roll_on_signal(self) -> None:
        log.info("signal received: user defined signal 2")
        if self._rolling:
            log.warn("a rolling restart is under way already")
        else:
            self._rolling = True
            self._run(self._roll())

    async def _roll(self) -> None:
        """Replace one worker after the other."""
        try:
            config = self._again()
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

    def _take(self, worker: Worker, message: Message) -> None:
        if isinstance(message, Gather):
            self._run(self._gather(worker, message.number))

    async def _gather(self, worker: Worker, number: int) -> None:
        worker.send(Gathered(number, await self._gathering.parts()))
