"""The environment of a scenario: a server, its clients and a CPU time meter."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import msgspec

from .clients.client import Client, Reply, abort_all, hello, open_clients
from .clients.http_api import INFO, ApiCaller, ApiConnection, ApiSpec, open_api
from .clients.http_streams import EmulationConnection, pong_request
from .clients.tokens import connection_token
from .clients.transports import WEBSOCKET, TransportSpec
from .errors import NotAvailable
from .measurement.resource_usage import ProcessTree
from .processes.server import RunningServer
from .settings import API_KEY, TOKEN_SECRET, Settings

IDLE_CPU_SHARE: Final = 0.02
"""A server that uses a smaller share of one processor than this is idle."""

SETTLE_POLL_SECONDS: Final = 0.1
MAX_SETTLE_POLLS: Final = 50


@dataclass(frozen=True, slots=True)
class Scale:
    """Durations in seconds, and numbers of connections."""

    seconds: float = 4.0
    warm_up: float = 0.5
    idle_seconds: float = 30.0
    subscribers: int = 1000
    connections: int = 10_000
    storm: int = 5000
    encrypted: int = 50
    drain: float = 10.0


FULL: Final = Scale()
QUICK: Final = Scale(
    seconds=0.8, warm_up=0.1, idle_seconds=0.8, subscribers=200, connections=500, storm=300, encrypted=20, drain=1.0
)


class Meter:
    """CPU time and writes of the server, and elapsed time, between `start` and `stop`."""

    def __init__(self, tree: ProcessTree) -> None:
        self._tree = tree
        self.cpu_ns = 0
        self.seconds = 0.0
        self.writes = 0
        self.start()

    def start(self) -> None:
        """Start measuring."""
        self._clock = asyncio.get_running_loop().time()
        self._writes = self._tree.writes()
        self._cpu = self._tree.cpu_ns()

    def stop(self) -> None:
        """Stop measuring."""
        self.cpu_ns = self._tree.cpu_ns() - self._cpu
        self.writes = self._tree.writes() - self._writes
        self.seconds = asyncio.get_running_loop().time() - self._clock


StartServer = Callable[[Settings], AbstractAsyncContextManager[RunningServer]]
"""Starts another server with these settings over the common ones."""


class Environment:
    """The environment of one run of a scenario. `close` drops all its connections."""

    def __init__(self, server: RunningServer, scale: Scale, with_server: StartServer) -> None:
        self._start_server = with_server
        self.address = server.address
        self.api_address = server.address
        """The server whose HTTP API is called: in a cluster it may be another node."""
        self.command = server.command
        self.certificate = server.certificate
        self.tree = server.tree
        self.scale = scale
        self._users = 0
        self._clients: list[Client] = []
        self._apis: list[ApiCaller] = []
        self._emulations: list[EmulationConnection] = []

    def hello(self, *subscriptions: Reply) -> list[Reply]:
        """Return the first commands of a client with a new user."""
        self._users += 1
        return hello(connection_token(f"user-{self._users}", TOKEN_SECRET), *subscriptions)

    async def clients(
        self, subscriptions: Iterable[Sequence[Reply]], transport_spec: TransportSpec = WEBSOCKET
    ) -> list[Client]:
        """Connect one client for each list of subscriptions."""
        hellos = (self.hello(*bodies) for bodies in subscriptions)
        clients = self.track(
            await open_clients(self.address, hellos, transport_spec=transport_spec, certificate=self.certificate)
        )
        if transport_spec.emulated:
            self._use_emulation_for_pongs(clients)
        return clients

    def _use_emulation_for_pongs(self, clients: list[Client]) -> None:
        emulation = EmulationConnection(*self.address)
        self._emulations.append(emulation)
        for client in clients:
            client.pongs_to, client.pong = emulation, pong_request(client.replies[1]["connect"])

    def track(self, clients: list[Client]) -> list[Client]:
        """Close these clients, too, at the end."""
        self._clients += clients
        return clients

    async def api(self) -> ApiConnection:
        """Open a connection to the HTTP API."""
        connection = await open_api(self.api_address, API_KEY, self.certificate)
        self._apis.append(connection)
        return connection

    async def caller(self, api_spec: ApiSpec) -> ApiCaller:
        """Open a connection to the API `api_spec`."""
        connection = await api_spec.open(self.api_address, API_KEY)
        self._apis.append(connection)
        return connection

    @asynccontextmanager
    async def with_server(self, overrides: Settings) -> AsyncIterator["Environment"]:
        """The environment of another server with these settings over the common ones.

        Raises `NotAvailable` if none can be started.
        """
        async with self._start_server(overrides) as running:
            env = Environment(running, self.scale, self._start_server)
            try:
                yield env
            finally:
                await env.close()

    @asynccontextmanager
    async def with_workers(self, count: int) -> AsyncIterator["Environment"]:
        """The environment of another server with `count` workers, all of them running."""
        async with self.with_server({"fanjet": {"workers": count}}) as env:
            await env._wait_for_workers(count)
            yield env

    async def _wait_for_workers(self, count: int) -> None:
        """Wait until `count` workers run. Raises `NotAvailable` after some seconds."""
        api = await self.api()
        for _ in range(MAX_SETTLE_POLLS):
            info = msgspec.json.decode(await api.post(INFO, b"{}"))
            if len(info["result"]["nodes"]) == count:
                await self.settle()  # the last worker may not listen yet
                return
            await asyncio.sleep(SETTLE_POLL_SECONDS)
        raise NotAvailable(f"the server has not {count} workers")

    def meter(self) -> Meter:
        """Start measuring."""
        return Meter(self.tree)

    async def settle(self) -> None:
        """Wait until the server is idle, for some seconds at most."""
        for _ in range(MAX_SETTLE_POLLS):
            before = self.tree.cpu_ns()
            await asyncio.sleep(SETTLE_POLL_SECONDS)
            if self.tree.cpu_ns() - before < IDLE_CPU_SHARE * SETTLE_POLL_SECONDS * 1e9:
                return

    async def close(self) -> None:
        """Drop all connections, and give the event loop a turn to do it."""
        abort_all(self._clients)
        for connection in self._apis:
            connection.close()
        for emulation in self._emulations:
            emulation.close()
        await asyncio.sleep(0)
