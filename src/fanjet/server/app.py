"""The composition root: builds, starts and stops a server.

The parts are built from the configuration. `Server.__init__` builds all parts; `start` and `stop` define the order in
which they start and stop.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from functools import partial
from typing import TYPE_CHECKING

from fanjet import __version__
from fanjet.admin.console.endpoints import ConsoleEndpoints
from fanjet.auth import ConnectionVerifier, SubscriptionVerifier, TokenSettingsError, load_sections
from fanjet.channels.namespaces import Namespaces
from fanjet.client.context import ClientContext
from fanjet.client.settings import ClientSettings
from fanjet.config import ConfigError, reload_config
from fanjet.config.plain_section import plain
from fanjet.config.startup_notices import warnings
from fanjet.config.validation.brokers import unopened_engines
from fanjet.engines.factory import open_engines
from fanjet.events.proxy.proxies import Proxies
from fanjet.net.socket_provider import LocalSocketProvider
from fanjet.net.systemd import ServiceManager, passed_sockets
from fanjet.net.timing_wheel import TimingWheel, next_second
from fanjet.node.gc_tuning import GCTuner
from fanjet.node.node import Node
from fanjet.operations.health import Stage
from fanjet.server.endpoints import endpoint_groups
from fanjet.server.grpc_listeners import GrpcListeners
from fanjet.server.listeners import Listeners
from fanjet.server.metrics import ServerMetrics
from fanjet.server.operations import Operations
from fanjet.server.overrides import NO_OVERRIDES, Overrides
from fanjet.server.startup_checks import check
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    from fanjet.config import Config, Loaded
    from fanjet.config.startup_notices import Notice
    from fanjet.config.tree.channel import ChannelOptions
    from fanjet.config.tree.client import Client
    from fanjet.workers.control_client import ControlClient

log = get_logger(__name__)

VERSION = f"{__version__} OSS"
ANNOUNCE_INTERVAL = 3
SIGNAL_NAMES = {signal.SIGINT: "interrupt", signal.SIGTERM: "terminated", signal.SIGHUP: "hangup"}


def write_notices(notices: Iterable[Notice]) -> None:
    """Log the notices of a start."""
    for notice in notices:
        getattr(log, notice.level)(notice.message, **notice.fields)


class Server:
    """All parts of a server that run in one process."""

    def __init__(
        self,
        loaded: Loaded,
        overrides: Overrides = NO_OVERRIDES,
        *,
        environment: MutableMapping[str, str] | None = None,
        control: ControlClient | None = None,
    ) -> None:
        """Build all parts and bind the addresses.

        `environment` contains the variables of the service manager. `control`: a worker's channel to its supervisor.
        """
        config = loaded.config
        environment = {} if environment is None else environment
        self._overrides = overrides
        self._owns_process = False
        self.stop_requested = asyncio.Event()
        self._loaded = loaded
        self._control = control
        self._wheel = TimingWheel()
        name = node_name(config, control.number if control is not None else 0)
        namespaces = Namespaces(overrides.channel(config.channel))
        self._metrics = ServerMetrics(config, self._namespace_of)
        self._proxies = Proxies(config, self._metrics.proxies)
        self._events = overrides.events(self._proxies)
        self._node = Node(
            name=name,
            version=VERSION,
            namespaces=namespaces,
            open_engines=partial(
                open_engines,
                config,
                metrics=self._metrics.engines,
                options_of=self._options_of,
                shared=control.engine if control is not None else "",
            ),
            max_message=max(config.client.queue_max_size, 0),
            max_lag=config.client.channel_position_max_time_lag,
            metrics=self._metrics.node,
            metrics_interval=config.node.info_metrics_aggregate_interval or 60.0,
        )
        self._node.rpc_methods = overrides.rpc_methods
        overrides.on_node_created(self._node)
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
            metrics=self._metrics.clients,
        )
        console = ConsoleEndpoints(
            self._clients,
            loaded,
            os.environ,
            totals=self._metrics.totals,
            unknown_replies=self._proxies.unknown_replies,
        )
        self._operations = Operations(self._metrics, self._node, config, name, VERSION, control=control)
        if self._operations.proxy_traces is not None:
            self._proxies.trace(self._operations.proxy_traces)
        endpoints = endpoint_groups(config, self._clients, overrides.extra_routes, console, self._operations)
        addresses = LocalSocketProvider(passed_sockets(environment)) if control is None else control.addresses
        self._grpc = GrpcListeners(config, self._clients, self._wheel, self._operations, addresses)
        self._listeners = Listeners(
            config, endpoints, self._wheel, addresses, overrides.fallback_app, host=overrides.host
        )
        self._service_manager = ServiceManager(environment)
        self._collector: GCTuner | None = None
        self._maintenance: asyncio.TimerHandle | None = None
        self._seconds = 0

    def _options_of(self, channel: str) -> ChannelOptions:
        return self._node.resolve(channel)

    def _namespace_of(self, channel: str) -> str:
        return self._node.namespaces.name_of(channel)

    def _verifiers(self, client: Client) -> tuple[ConnectionVerifier, SubscriptionVerifier]:
        """Raises `TokenSettingsError`.

        A reload does not change whether subscription tokens have a separate section (04 §4).
        """
        sections = load_sections(client, separate=self._loaded.config.client.subscription_token.enabled)
        write_notices(sections.notices)
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
        """Handle the signals of the process, and tune its garbage collector.

        Not for a server embedded in another program.
        """
        self._owns_process = True
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop_on_signal, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload_on_signal)
        loop.add_signal_handler(signal.SIGUSR2, self._reject_rolling_restart)

    async def start(self) -> None:
        """Accept connections."""
        if self._control is not None:
            await self._control.open(
                stop=self.stop_requested.set, reload=self._reload_on_signal, metrics=self._operations.report
            )
        self._wheel.start(asyncio.get_running_loop())
        await self._overrides.start(self._wheel)
        await self._node.start()
        await self._listeners.start()
        await self._grpc.start()
        if self._owns_process:
            self._collector = GCTuner(self._node.connections)
        self._run_maintenance()
        self._operations.start()
        if self._control is None:
            write_notices(warnings(self._loaded))
        else:
            self._control.notify_ready()
        self._service_manager.notify_ready()

    async def stop(self) -> None:
        """Close the listeners and disconnect all clients with 3001.

        Clients are disconnected within `fanjet.drain_time`. Waits for their sockets and for running requests.
        """
        log.info("shutting down ...")
        self._service_manager.notify_stopping()
        self._operations.readiness.stage = Stage.STOPPING
        self._listeners.close()
        self._grpc.close()
        self._clients.shut_down()
        await self._node.drain(self._loaded.config.fanjet.drain_time)
        await self._node.shut_down()
        self._overrides.close()
        cancel_timer = asyncio.get_running_loop().call_later(
            self._loaded.config.shutdown.timeout / 2, self._overrides.cancel_requests
        )
        await asyncio.gather(self._listeners.stop(), self._grpc.stop(), self._clients.wait_closed())
        await self._overrides.stop()
        cancel_timer.cancel()
        await self._proxies.close()
        await self._node.close()
        await self._operations.stop()
        if self._maintenance is not None:
            self._maintenance.cancel()
        self._wheel.stop()
        if self._control is not None:
            self._control.close()

    def _stop_on_signal(self, number: signal.Signals) -> None:
        if not self.stop_requested.is_set():
            log.info(f"signal received: {SIGNAL_NAMES[number]}")
            self.stop_requested.set()

    def _reject_rolling_restart(self) -> None:
        log.warn("a rolling restart needs several workers (fanjet.workers), and goes to the process that started them")

    def _run_maintenance(self) -> None:
        """Periodic work: the garbage collector, and the node's announcement."""
        loop = asyncio.get_running_loop()
        self._maintenance = loop.call_at(next_second(loop), self._run_maintenance)
        self._seconds += 1
        if self._seconds % ANNOUNCE_INTERVAL == 0:
            self._node.announce()
        if self._collector is not None:
            self._collector.check()

    def _reload_on_signal(self) -> None:
        self._service_manager.notify_reloading()
        self._reload()
        self._service_manager.notify_ready()

    def _reload(self) -> None:
        """Reload the configuration (04 §4): apply what may change, or change nothing."""
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
        for problem in unopened_engines(config, self._loaded.config):
            log.error(f"error reloading: {problem}")
            return
        try:
            verifiers = self._verifiers(config.client)
        except TokenSettingsError as error:
            log.error(f"error reloading: {error}", key=error.key)
            return
        try:
            namespaces = Namespaces(self._overrides.channel(config.channel))
        except ConfigError as error:
            log.error(f"error reloading: {error}")
            return
        self._clients.connection_verifier, self._clients.subscription_verifier = verifiers
        self._clients.config = plain(config.client)
        self._node.change_namespaces(namespaces)
        self._proxies.reload(config.rpc)
        log.info("configuration successfully reloaded")


def node_name(config: Config, worker: int = 0) -> str:
    """The name of the node; workers append their number, which starts with 1 (04 §12)."""
    name = config.node.name or f"{socket.gethostname() or '?'}_{config.http_server.port}"
    return f"{name}_{worker}" if worker else name
