"""The composition root: configuration in, running server out. The only place that knows everything.

`Server.__init__` tells what is built from what; `run` and `stop` in which order it starts and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fanjet import __version__
from fanjet.additions import NOTHING, Additions
from fanjet.admin.console import Console
from fanjet.admin.interface import ScriptsMissing
from fanjet.auth import ConnectionVerifier, SubscriptionVerifier, TokenSettingsError, open_sections, refusal_message
from fanjet.channels.namespaces import Namespaces
from fanjet.client.context import ClientContext
from fanjet.client.settings import ClientSettings
from fanjet.config import ConfigError, reload_config
from fanjet.config.notices import source_notices, starting_notice, warnings
from fanjet.config.plain import plain
from fanjet.config.unbuilt import refuse_unbuilt
from fanjet.config.validation import validate
from fanjet.config.validation.startup import Refusal, start_refusals
from fanjet.engines.interfaces import EngineUnavailable
from fanjet.engines.selection import open_engines
from fanjet.events.proxy.proxies import Proxies
from fanjet.grpc_listeners import GrpcListeners
from fanjet.listeners import ListenError, Listeners
from fanjet.measuring import Measuring
from fanjet.net.addresses import OwnAddresses
from fanjet.net.asgi.lifespan import StartupFailed
from fanjet.net.binding import BindError
from fanjet.net.systemd import ServiceManager, passed_sockets
from fanjet.net.tls import TLSError
from fanjet.net.wheel import TimingWheel
from fanjet.node.collector import CollectorGuard
from fanjet.node.node import Node
from fanjet.open_files import LOW, raise_limit
from fanjet.operating import Operations
from fanjet.operations.health import Stage
from fanjet.services import services
from fanjet.telemetry.logging import configure, get_logger

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, MutableMapping

    from fanjet.config import Config, Loaded
    from fanjet.config.notices import Notice
    from fanjet.config.tree.channel import ChannelOptions
    from fanjet.config.tree.client import Client

log = get_logger(__name__)

VERSION = f"{__version__} OSS"
HOUSEKEEPING_INTERVAL = 1.0
ANNOUNCE_SECONDS = 3
SIGNAL_NAMES = {signal.SIGINT: "interrupt", signal.SIGTERM: "terminated", signal.SIGHUP: "hangup"}


def run(loaded: Loaded, additions: Additions = NOTHING) -> int:
    """Serve until a signal ends it; returns the exit status. The configuration has been loaded, not validated."""
    config = loaded.config
    try:
        output = configure(config.log.level, config.log.file)
    except OSError as error:
        log.fatal("error opening log file", error=error)
    try:
        _write_notices(source_notices(loaded))
        write_pid_file(config.pid_file)
        _write_notices([starting_notice(config, VERSION)])
        _refuse_what_cannot_be_served(config)
        _allow_many_connections()
        with asyncio.Runner(loop_factory=_new_event_loop) as runner:
            return runner.run(_serve(loaded, additions))
    finally:
        output.close()


def _allow_many_connections() -> None:
    limit = raise_limit()
    if limit is not None and limit < LOW:
        log.warn("the limit of open files is low, each connection needs one", limit=limit)


def _refuse_what_cannot_be_served(config: Config) -> None:
    try:
        check(config)
    except ConfigError as error:
        log.fatal("error validating config", error=error)
    for refusal in refusals(config):
        log.fatal(refusal.message, **refusal.fields)


def refusals(config: Config) -> Iterator[Refusal]:
    """Why a server with this valid configuration does not start, if there is anything."""
    return start_refusals(config, _token_refusals(config))


def _token_refusals(config: Config) -> Iterator[Refusal]:
    """What keeps tokens from being verified."""
    try:
        open_sections(config.client, separate=config.client.subscription_token.enabled)
    except TokenSettingsError as error:
        yield Refusal(refusal_message(error), {"key": error.key, "error": error})


def check(config: Config) -> None:
    """Raises `ConfigError` for what is invalid and for what is not built."""
    validate(config)
    refuse_unbuilt(config)


def _write_notices(notices: Iterable[Notice]) -> None:
    for notice in notices:
        getattr(log, notice.level)(notice.message, **notice.fields)


def _new_event_loop() -> asyncio.AbstractEventLoop:
    """The fastest loop there is for this platform."""
    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


async def _serve(loaded: Loaded, additions: Additions) -> int:
    try:
        server = Server(loaded, additions, environment=os.environ)
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
        remove_pid_file(loaded.config.pid_file)
        log.fatal("shutdown timeout reached")
    remove_pid_file(loaded.config.pid_file)
    return 0


class Server:
    """Everything that runs in one process."""

    def __init__(
        self, loaded: Loaded, additions: Additions = NOTHING, *, environment: MutableMapping[str, str] | None = None
    ) -> None:
        """Build all parts and bind the addresses. `environment` is where a service manager leaves word."""
        config = loaded.config
        environment = {} if environment is None else environment
        self._additions = additions
        self._owns_process = False
        self.stop_requested = asyncio.Event()
        self._loaded = loaded
        self._wheel = TimingWheel()
        node_name = config.node.name or _default_node_name(config)
        namespaces = Namespaces(additions.channel(config.channel))
        self._measuring = Measuring(config, self._namespace_of)
        self._proxies = Proxies(config, self._measuring.proxies)
        self._events = additions.events(self._proxies)
        self._node = Node(
            name=node_name,
            version=VERSION,
            namespaces=namespaces,
            open_engines=partial(open_engines, config, metrics=self._measuring.engines, options_of=self._options_of),
            max_message=max(config.client.queue_max_size, 0),
            max_lag=config.client.channel_position_max_time_lag,
            metrics=self._measuring.node,
            metrics_interval=config.node.info_metrics_aggregate_interval or 60.0,
        )
        self._node.procedures = additions.procedures
        additions.take_node(self._node)
        connection_verifier, subscription_verifier = self._verifiers(config.client)
        self._clients = ClientContext(
            node=self._node,
            settings=ClientSettings.from_config(config, VERSION),
            wheel=self._wheel,
            config=plain(config.client),
            connection_verifier=connection_verifier,
            subscription_verifier=subscription_verifier,
            now=self._wheel.clock,
            unix_time=time.time,
            events=self._events,
            metrics=self._measuring.clients,
        )
        console = Console(self._clients, loaded, os.environ, totals=self._measuring.totals)
        self._operations = Operations(self._measuring, self._node, config, node_name, VERSION)
        endpoints = services(config, self._clients, additions.site, console, self._operations)
        addresses = OwnAddresses(passed_sockets(environment))
        self._grpc = GrpcListeners(config, self._clients, self._wheel, self._operations, addresses)
        self._listeners = Listeners(config, endpoints, self._wheel, addresses, additions.neighbour, additions.host)
        self._service_manager = ServiceManager(environment)
        self._collector: CollectorGuard | None = None
        self._housekeeping: asyncio.TimerHandle | None = None
        self._seconds = 0

    def _options_of(self, channel: str) -> ChannelOptions:
        return self._node.resolve(channel)

    def _namespace_of(self, channel: str) -> str:
        return self._node.namespaces.name_of(channel)

    def _verifiers(self, client: Client) -> tuple[ConnectionVerifier, SubscriptionVerifier]:
        """Raises `TokenSettingsError`. Whether subscription tokens have a section of their own is decided for good at
        start (04 §4)."""
        sections = open_sections(client, separate=self._loaded.config.client.subscription_token.enabled)
        _write_notices(sections.notices)
        resolve = self._node.resolve
        return (
            ConnectionVerifier(sections.connection, resolve=resolve),
            SubscriptionVerifier(sections.subscription, resolve=resolve),
        )

    @property
    def port(self) -> int:
        """The port of the external listener."""
        return self._listeners.port

    def own_process(self) -> None:
        """Stop and reload as the process's signals tell, and keep the garbage collector from pausing it: not for a
        server that is a guest in somebody else's program."""
        self._owns_process = True
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop_on_signal, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload_on_signal)

    async def start(self) -> None:
        """Accept connections."""
        self._wheel.start(asyncio.get_running_loop())
        await self._additions.start(self._wheel)
        await self._node.start()
        await self._listeners.start()
        await self._grpc.start()
        if self._owns_process:
            self._collector = CollectorGuard(self._node.connections)
        self._keep_house()
        self._operations.start()
        _write_notices(warnings(self._loaded))
        self._service_manager.tell_ready()

    async def stop(self) -> None:
        """Accept nothing more, send every client away with 3001, wait for their sockets and for running requests."""
        log.info("shutting down ...")
        self._service_manager.tell_stopping()
        self._operations.readiness.stage = Stage.STOPPING
        self._listeners.close()
        self._grpc.close()
        await self._node.shut_down()
        self._clients.shut_down()
        self._additions.close()
        patience = asyncio.get_running_loop().call_later(
            self._loaded.config.shutdown.timeout / 2, self._additions.give_up
        )
        await asyncio.gather(self._listeners.stop(), self._grpc.stop(), self._clients.all_gone())
        await self._additions.stop()
        patience.cancel()
        await self._proxies.close()
        await self._node.close()
        await self._operations.stop()
        if self._housekeeping is not None:
            self._housekeeping.cancel()
        self._wheel.stop()

    def _stop_on_signal(self, number: signal.Signals) -> None:
        if not self.stop_requested.is_set():
            log.info(f"signal received: {SIGNAL_NAMES[number]}")
            self.stop_requested.set()

    def _keep_house(self) -> None:
        """What is due every second or few: the collector, the node's numbers."""
        self._housekeeping = asyncio.get_running_loop().call_later(HOUSEKEEPING_INTERVAL, self._keep_house)
        self._seconds += 1
        if self._seconds % ANNOUNCE_SECONDS == 0:
            self._node.announce()
        if self._collector is not None:
            self._collector.check()

    def _reload_on_signal(self) -> None:
        self._service_manager.tell_reloading()
        self._reload()
        self._service_manager.tell_ready()

    def _reload(self) -> None:
        """SIGHUP (04 §4): take over what may change, or leave everything as it is."""
        log.info("signal received: hangup")
        if not self._loaded.path:
            log.warn("nothing to reload: this configuration comes from no file")
            return
        log.info("reloading configuration")
        try:
            loaded = reload_config(self._loaded)
        except ConfigError as error:
            log.error("error reading config", error=error)
            return
        try:
            check(loaded.config)
        except ConfigError as error:
            log.error(f"error validating config: {error}")
            return
        config = loaded.config
        try:
            verifiers = self._verifiers(config.client)
        except TokenSettingsError as error:
            log.error(f"error reloading: {error}", key=error.key)
            return
        self._clients.connection_verifier, self._clients.subscription_verifier = verifiers
        self._clients.config = plain(config.client)
        try:
            namespaces = Namespaces(self._additions.channel(config.channel))
        except ConfigError as error:
            log.error(f"error reloading: {error}")
            return
        self._node.namespaces = namespaces
        self._proxies.reload(config.rpc)
        log.info("configuration successfully reloaded")


def write_pid_file(path: str) -> None:
    """Write this process's id, readable for its owner alone. Ends the process when that fails."""
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


def _default_node_name(config: Config) -> str:
    return f"{socket.gethostname() or '?'}_{config.http_server.port}"
