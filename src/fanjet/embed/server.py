"""A server that a Python program builds, starts and stops."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from fanjet.net.asgi_app.app import AsgiApp
from fanjet.net.asgi_host.fallback_app import FallbackApp
from fanjet.server import app, lifecycle
from fanjet.server.overrides import Overrides
from fanjet.telemetry.logging import get_logger

from .api import ServerApi
from .asgi import AsgiApplication
from .configuration import load, require_hostable, require_servable, require_single
from .registration import Registration
from .signals import SignalWatcher

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import TracebackType
    from typing import Self

    from fanjet.net.asgi_host.types import Application
    from fanjet.node.node import Node

    from .configuration import Configuration

log = get_logger(__name__)


class Server(Registration):
    """A Fanjet server whose event handlers are Python functions.

    Its decorators register them. It runs in an event loop (`async with server`, or `start` and `stop`), where it
    changes neither signals nor logging nor the garbage collector; as an application in an ASGI server (`asgi`); or as
    the whole program (`run`). One program may have several.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        address: str | None = None,
        port: int | None = None,
        asgi: Application | None = None,
        headers: Collection[str] = (),
        emulated_headers: Collection[str] = (),
    ) -> None:
        """Create a server from a configuration; raise `ConfigError` if it is invalid.

        `configuration`: path of a file, a mapping with the keys of files, or a `Config`. `address` and `port` replace
        its values; port 0 is any free one. `asgi`: an application for the requests to this port that are not Fanjet's
        own. `headers`: names of request headers, and `emulated_headers` of those that clients put into their connect
        requests, that events are to show. Raises `ConfigError`.
        """
        super().__init__()
        self._loaded = load(configuration, address=address, port=port)
        self._fallback_app = None if asgi is None else FallbackApp(asgi)
        self._headers = headers
        self._emulated_headers = emulated_headers
        self._host: AsgiApp | None = None
        self._handles_signals = False
        self._signals: SignalWatcher | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._running: app.Server | None = None
        self._api: ServerApi | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        """The event loop that it runs in; None while it does not run."""
        require_servable(self._loaded.config)

    def asgi(self, *, signals: bool = True) -> AsgiApplication:
        """The server as an ASGI application.

        From now on the server itself listens to no external address. `signals`: handle SIGINT and SIGTERM in addition
        to the host, so that clients are disconnected before the host waits for them. Raises `ConfigError` for settings
        that need a listener of the server itself.
        """
        require_hostable(self._loaded.config)
        if self._host is None:
            self._host = AsgiApp()
        self._handles_signals = signals
        return AsgiApplication(self, self._host)

    async def start(self) -> None:
        """Accept connections.

        Raises `ConfigError` for handlers that do not fit the configuration, and `OSError` if the address cannot be
        bound.
        """
        if self._running is not None:
            raise RuntimeError("the server runs already")
        require_single(self._loaded.config)
        try:
            self._running = app.Server(self._loaded, self._overrides())
            await self._running.start()
            self.loop = asyncio.get_running_loop()
            if self._host is not None and self._handles_signals:
                self._signals = SignalWatcher(self._stop_early)
        except BaseException:
            with contextlib.suppress(Exception):  # the first error is raised
                await self.stop()
            self._api = None
            raise

    async def stop(self) -> None:
        """Disconnect all clients and wait for them, `shutdown.timeout` at most.

        Raises `TimeoutError` after that. Does nothing if the server does not run.
        """
        stopping, self._stopping = self._stopping, None
        if stopping is not None:
            await stopping
        else:
            await self._stop()

    async def _stop(self) -> None:
        running, self._running = self._running, None
        if self._signals is not None:
            self._signals.stop()
            self._signals = None
        if running is None:
            return
        try:
            async with asyncio.timeout(self._loaded.config.shutdown.timeout):
                await running.stop()
        finally:
            self._api = None
            self.loop = None

    def _stop_early(self) -> None:
        """Stop before the host waits for its connections."""
        if self._running is not None:
            self._stopping = asyncio.get_running_loop().create_task(self._stop())

    @property
    def is_ending(self) -> bool:
        """Whether it stops or has stopped because its host shuts down."""
        return self._stopping is not None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    def run(self) -> int:
        """Run as the program until a signal ends it; return the exit status.

        Behaves like the command `fanjet`.
        """
        return lifecycle.run(self._loaded, self._overrides())

    @property
    def api(self) -> ServerApi:
        """The server API. Raises `RuntimeError` while the server does not run."""
        if self._api is None:
            raise RuntimeError("the server does not run")
        return self._api

    @property
    def port(self) -> int:
        """The port that clients connect to."""
        return self._loaded.config.http_server.port if self._running is None else self._running.port

    def _overrides(self) -> Overrides:
        return Overrides(
            handlers=self._handlers,
            headers=self._headers,
            emulated_headers=self._emulated_headers,
            fallback_app=self._fallback_app,
            host=self._host,
            rpc_methods=self._procedures,
            on_node_created=self._on_node_created,
        )

    def _on_node_created(self, node: Node) -> None:
        self._api = ServerApi(node)

    def _require_not_started(self) -> None:
        if self._api is not None:
            raise RuntimeError("handlers have to be registered before the server starts")
