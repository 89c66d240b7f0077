"""What a scenario works with: a running server, clients on it, and a meter for what it costs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import msgspec

from .clients.client import Client, Reply, abort_all, hello, open_clients
from .clients.http_api import INFO, ApiCaller, ApiConnection, ApiDoor, open_api
from .clients.http_streams import EmulationLink, pong_request
from .clients.tokens import connection_token
from .clients.transports import WEBSOCKET, Carrier
from .errors import NotAvailable
from .measurement.resource_usage import ProcessTree
from .processes.server import RunningServer
from .settings import API_KEY, TOKEN_SECRET, Settings

QUIET_SHARE: Final = 0.02
"""A server that uses less of one processor than this has dealt with what came before."""

SETTLE_STEP: Final = 0.1
SETTLE_STEPS: Final = 50


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything. Seconds, and counts of connections."""

    seconds: float = 4.0
    warm_up: float = 0.5
    idle_seconds: float = 30.0
    subscribers: int = 1000
    crowd: int = 10_000
    storm: int = 5000
    encrypted: int = 50
    drain: float = 10.0


FULL: Final = Scale()
QUICK: Final = Scale(
    seconds=0.8, warm_up=0.1, idle_seconds=0.8, subscribers=200, crowd=500, storm=300, encrypted=20, drain=1.0
)


class Meter:
    """CPU time and writes of the server and time on the clock between `start` and `stop`."""

    def __init__(self, tree: ProcessTree) -> None:
        self._tree = tree
        self.cpu_ns = 0
        self.seconds = 0.0
        self.writes = 0
        self.start()

    def start(self) -> None:
        """Measure from now on."""
        self._clock = asyncio.get_running_loop().time()
        self._writes = self._tree.writes()
        self._cpu = self._tree.cpu_ns()

    def stop(self) -> None:
        """Measure until now."""
        self.cpu_ns = self._tree.cpu_ns() - self._cpu
        self.writes = self._tree.writes() - self._writes
        self.seconds = asyncio.get_running_loop().time() - self._clock


Another = Callable[[Settings], AbstractAsyncContextManager[RunningServer]]
"""Starts one more server, with these settings over those that all have."""


class Stage:
    """One run of one scenario. `close` drops all connections made here."""

    def __init__(self, server: RunningServer, scale: Scale, another: Another) -> None:
        self._another = another
        self.address = server.address
        self.api_address = server.address
        """Where the HTTP API is called: in a cluster, it may be another node's."""
        self.command = server.command
        self.certificate = server.certificate
        self.tree = server.tree
        self.scale = scale
        self._users = 0
        self._clients: list[Client] = []
        self._apis: list[ApiCaller] = []
        self._links: list[EmulationLink] = []

    def hello(self, *subscriptions: Reply) -> list[Reply]:
        """Return the first commands of a client that is a user of its own."""
        self._users += 1
        return hello(connection_token(f"user-{self._users}", TOKEN_SECRET), *subscriptions)

    async def clients(self, subscriptions: Iterable[Sequence[Reply]], carrier: Carrier = WEBSOCKET) -> list[Client]:
        """Connect a client for each list of subscriptions."""
        hellos = (self.hello(*bodies) for bodies in subscriptions)
        clients = self.keep(await open_clients(self.address, hellos, carrier=carrier, trusted=self.certificate))
        if carrier.emulated:
            self._answer_pings_aside(clients)
        return clients

    def _answer_pings_aside(self, clients: list[Client]) -> None:
        link = EmulationLink(*self.address)
        self._links.append(link)
        for client in clients:
            client.pongs_to, client.pong = link, pong_request(client.replies[1]["connect"])

    def keep(self, clients: list[Client]) -> list[Client]:
        """Drop these, too, at the end."""
        self._clients += clients
        return clients

    async def api(self) -> ApiConnection:
        """Open a connection to the HTTP API."""
        connection = await open_api(self.api_address, API_KEY, self.certificate)
        self._apis.append(connection)
        return connection

    async def caller(self, door: ApiDoor) -> ApiCaller:
        """Open a connection to the API behind `door`."""
        connection = await door.open(self.api_address, API_KEY)
        self._apis.append(connection)
        return connection

    @asynccontextmanager
    async def another(self, own: Settings) -> AsyncIterator["Stage"]:
        """A stage with one more server, on these settings over those that all have. Raises `NotAvailable` if none can
        be started."""
        async with self._another(own) as running:
            stage = Stage(running, self.scale, self._another)
            try:
                yield stage
            finally:
                await stage.close()

    @asynccontextmanager
    async def with_workers(self, count: int) -> AsyncIterator["Stage"]:
        """The same with so many workers, all of which are there."""
        async with self.another({"fanjet": {"workers": count}}) as stage:
            await stage._workers_are_there(count)
            yield stage

    async def _workers_are_there(self, count: int) -> None:
        """Raises `NotAvailable` if there are not so many after some seconds."""
        api = await self.api()
        for _ in range(SETTLE_STEPS):
            info = msgspec.json.decode(await api.post(INFO, b"{}"))
            if len(info["result"]["nodes"]) == count:
                await self.settle()  # the last one is about to listen
                return
            await asyncio.sleep(SETTLE_STEP)
        raise NotAvailable(f"the server has not {count} workers")

    def meter(self) -> Meter:
        """Start measuring."""
        return Meter(self.tree)

    async def settle(self) -> None:
        """Wait until the server is done with what came before, for some seconds at most."""
        for _ in range(SETTLE_STEPS):
            before = self.tree.cpu_ns()
            await asyncio.sleep(SETTLE_STEP)
            if self.tree.cpu_ns() - before < QUIET_SHARE * SETTLE_STEP * 1e9:
                return

    async def close(self) -> None:
        """Drop all connections, and give the loop a turn to do it."""
        abort_all(self._clients)
        for connection in self._apis:
            connection.close()
        for link in self._links:
            link.close()
        await asyncio.sleep(0)
