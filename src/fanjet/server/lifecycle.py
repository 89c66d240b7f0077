"""Runs a process from start to end.

The process is a single server, the supervisor, a worker or the engine (04 §8, §11, §12).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fanjet.admin.console.assets import ScriptsMissing
from fanjet.config import ConfigError, reload_config
from fanjet.config.startup_notices import source_notices, starting_notice, warnings
from fanjet.engines.in_memory_features import uses_memory_engine
from fanjet.engines.interfaces import EngineUnavailable
from fanjet.net.asgi_host.lifespan import StartupFailed
from fanjet.net.binding import BindError
from fanjet.net.systemd import ServiceManager, passed_sockets
from fanjet.net.tls import TLSError
from fanjet.node.gc_tuning import THRESHOLDS
from fanjet.server.app import VERSION, Server, node_name, write_notices
from fanjet.server.file_limit import LOW_LIMIT, raise_file_limit
from fanjet.server.listeners import ListenError
from fanjet.server.operations import graphite_exporter
from fanjet.server.overrides import NO_OVERRIDES, Overrides
from fanjet.server.startup_checks import all_startup_problems, check
from fanjet.telemetry.logging import configure, get_logger
from fanjet.workers.child import dump_stacks_on_signal
from fanjet.workers.control_client import ControlClient
from fanjet.workers.engine import answer_supervisor, remove_socket
from fanjet.workers.role import EngineRole, WorkerRole, take_role
from fanjet.workers.supervisor import NotStarted, Supervisor

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from fanjet.config import Config, Loaded
    from fanjet.telemetry.metrics.graphite import GraphiteExporter
    from fanjet.workers.metrics_aggregation import AggregatedMetrics
    from fanjet.workers.role import Role

log = get_logger(__name__)

FREEZE_SECONDS = 1.0
ENGINE_MISSING = "what workers are to share in memory needs a process that is started with all of them: start all anew"


def run(loaded: Loaded, overrides: Overrides = NO_OVERRIDES) -> int:
    """Serve until a signal ends it; returns the exit status.

    The configuration has been loaded, not validated.
    """
    role = take_role(os.environ)
    if role is not None:
        dump_stacks_on_signal()
    config = loaded.config
    try:
        output = configure(config.log.level, config.log.file, _log_fields(role))
    except OSError as error:
        log.fatal("error opening log file", error=error)
    try:
        if role is None:
            write_notices(source_notices(loaded))
            write_pid_file(config.pid_file)
            write_notices([starting_notice(config, VERSION)])
        _refuse_unservable(config)
        if isinstance(role, WorkerRole) and not role.engine and uses_memory_engine(config):
            log.fatal(ENGINE_MISSING)
        _raise_file_limit()
        if role is None and config.fanjet.workers > 1:
            return asyncio.run(_supervise(loaded))
        with asyncio.Runner(loop_factory=_new_event_loop) as runner:
            return runner.run(_main(loaded, overrides, role))
    finally:
        output.close()


def _log_fields(role: Role) -> dict[str, object]:
    """Fields of every log line of a worker or the engine."""
    if role is None:
        return {}
    return {"worker": role.number if isinstance(role, WorkerRole) else "engine"}


def _main(loaded: Loaded, overrides: Overrides, role: Role) -> Coroutine[Any, Any, int]:
    if isinstance(role, EngineRole):
        return _run_engine(role, loaded.config)
    if isinstance(role, WorkerRole):
        return _serve(loaded, overrides, ControlClient(role))
    return _serve_alone(loaded, overrides)


def _new_event_loop() -> asyncio.AbstractEventLoop:
    """The fastest event loop for this platform."""
    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _raise_file_limit() -> None:
    limit = raise_file_limit()
    if limit is not None and limit < LOW_LIMIT:
        log.warn("the limit of open files is low, each connection needs one", limit=limit)


def _refuse_unservable(config: Config) -> None:
    try:
        check(config)
    except ConfigError as error:
        log.fatal("error validating config", error=error)
    for problem in all_startup_problems(config):
        log.fatal(problem.message, **problem.fields)
    if config.fanjet.workers > 1 and uses_memory_engine(config) and not hasattr(os, "memfd_create"):
        log.fatal("fanjet.workers: several share what is in memory on Linux only; let an engine outside keep it")


# -------------------------------------------------------------------------------------------------- a single process or
# worker


async def _serve_alone(loaded: Loaded, overrides: Overrides) -> int:
    status = await _serve(loaded, overrides, None)
    remove_pid_file(loaded.config.pid_file)
    return status


async def _serve(loaded: Loaded, overrides: Overrides, control: ControlClient | None) -> int:
    try:
        server = Server(loaded, overrides, environment=os.environ, control=control)
        server.own_process()
        await server.start()
    except EngineUnavailable as error:
        log.fatal("error running node", error=error)
    except (ListenError, TLSError, BindError, ConfigError, ScriptsMissing, StartupFailed) as error:
        log.fatal("error starting server", error=error)
    await server.stop_requested.wait()
    try:
        async with asyncio.timeout(loaded.config.shutdown.timeout):
            await server.stop()
    except TimeoutError:
        if control is None:
            remove_pid_file(loaded.config.pid_file)
        log.fatal("shutdown timeout reached")
    return 0


# -------------------------------------------------------------------------------------------------- supervisor and
# engine


async def _supervise(loaded: Loaded) -> int:
    try:
        passed = passed_sockets(os.environ)
    except BindError as error:
        log.fatal("error starting server", error=error)
    try:
        supervisor = Supervisor(
            loaded.config,
            passed,
            ServiceManager(os.environ),
            os.environ,
            load_again=lambda: _load_again(loaded),
            needs_engine=uses_memory_engine(loaded.config),
            exporter=partial(_exporter, loaded.config) if loaded.config.graphite.enabled else None,
        )
    except OSError as error:
        log.fatal("error starting workers: no place for their sockets", error=error)
    write_notices(warnings(loaded))
    try:
        is_clean = await supervisor.run()
    except NotStarted:
        log.fatal("error starting workers")
    remove_pid_file(loaded.config.pid_file)
    return 0 if is_clean else 1


def _exporter(config: Config, metrics: AggregatedMetrics) -> GraphiteExporter:
    return graphite_exporter(metrics, config.graphite, node_name(config), metrics.refresh)


def _load_again(loaded: Loaded) -> Config | None:
    """The configuration that new workers will load; None if it cannot be served."""
    try:
        config = reload_config(loaded).config if loaded.path else loaded.config
        check(config)
    except ConfigError as error:
        log.error("error reading config", error=error)
        return None
    for problem in all_startup_problems(config):
        log.error(problem.message, **problem.fields)
        return None
    if uses_memory_engine(config) and not uses_memory_engine(loaded.config):
        log.error(ENGINE_MISSING)
        return None
    return config


async def _run_engine(role: EngineRole, config: Config) -> int:
    """Run the engine until the supervisor and all workers have exited."""
    from fanjet.engines.memory_server.process import serve  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    path = role.listening.getsockname()
    serving = loop.create_task(serve(role.listening, config))
    await answer_supervisor(role)
    loop.add_reader(role.liveness, serving.cancel)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    gc.set_threshold(*THRESHOLDS)
    _freeze_objects(loop)
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    remove_socket(path)
    return 0


def _freeze_objects(loop: asyncio.AbstractEventLoop) -> None:
    """Periodically exclude the engine's objects from garbage collection.

    They have no cycles, and to traverse 100 000 streams takes 150 ms, in which all workers wait.
    """
    gc.collect(0)  # a few ms at most, however many streams are new
    gc.freeze()
    loop.call_later(FREEZE_SECONDS, _freeze_objects, loop)


# -------------------------------------------------------------------------------------------------- the PID file


def write_pid_file(path: str) -> None:
    """Write this process's id, readable for its owner alone.

    Ends the process when that fails.
    """
    if not path:
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{os.getpid()}\n")
    except OSError as error:
        log.fatal("error writing PID", error=error)


def remove_pid_file(path: str) -> None:
    """Remove the file that `write_pid_file` wrote."""
    if path:
        with contextlib.suppress(FileNotFoundError):
            Path(path).unlink()
