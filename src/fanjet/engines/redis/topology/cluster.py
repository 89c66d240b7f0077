"""A shard on Redis Cluster.

Commands are routed to the node that serves their slot (07 §4.3, §4.4).
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, Final, NoReturn

from msgspec.structs import replace

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from ..connections.address import Address
from ..connections.command_connection import CommandConnection
from ..connections.connection import Connection, connect
from ..connections.errors import CommandError
from .endpoints import Endpoints
from .replicas import Replica, ReplicaPool, read_from_replicas
from .slots import SLOTS, slot_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..connections.address import Login, Target
    from ..connections.connection import Command, Decode

log = get_logger(__name__)

MAX_REDIRECTS: Final = 5
RETRY_SECONDS: Final = 0.05
MAX_TRIES: Final = 20
"""Retries for about a second: most slot migrations take less."""
MIN_REFRESH_INTERVAL: Final = 0.25
LOST_NODE_REFRESH_SECONDS: Final = 1.0
"""Interval of topology refreshes while a node is lost."""
POLL_SECONDS: Final = 30.0
"""Interval of periodic topology refreshes where replicas or partitions are used (07 §22.4)."""

_SLOT_NOT_SERVED: Final = "no node of the Redis Cluster serves this slot"


class _Node(CommandConnection):
    """The command connection to one node."""

    def __init__(self, address: Address, login: Login, on_loss: Callable[[], None]) -> None:
        self.address = address
        super().__init__(self._find_address, login, on_loss)

    async def execute_asking(self, command: Command) -> Any:
        """Execute a command on a slot that is being imported by this node."""
        connection = await self.connection()
        asking = connection.execute(("ASKING",))
        executing = connection.execute(command)  # in the same step, so that no other command comes between
        _, reply = await asyncio.gather(asking, executing)
        return reply

    async def _find_address(self) -> Address:
        return self.address


class ClusterShard:
    """A Redis Cluster as a shard.

    The topology is refreshed at start, after a redirection, when a node is lost, and periodically where it is watched.

    Follows redirections. A command that fails because its slot is migrating is retried for a while.
    """

    is_cluster = True

    def __init__(self, target: Target) -> None:
        self.target = target
        self.endpoints = Endpoints(())
        self._nodes: dict[Address, _Node] = {}
        self._primaries_by_slot: list[_Node | None] = [None] * SLOTS
        self._replicas: dict[Address, tuple[Address, ...]] = {}
        # Without READONLY, replicas refuse reads and SUNSUBSCRIBE.
        self.replica_login = replace(target.login, read_only=True)
        self._replica_pool = ReplicaPool(self.replica_login, self.schedule_refresh)
        self._read_replicas: dict[Address, tuple[Replica, ...]] = {}
        self._refreshing: asyncio.Task[None] | None = None
        self._refreshed_at = 0.0
        self._next_refresh: asyncio.TimerHandle | None = None
        self._polling: asyncio.Task[NoReturn] | None = None
        self._endpoint_watchers: list[Callable[[], None]] = []
        self._closed = False

    async def start(self) -> None:
        """See `Shard.start`."""
        await self._refresh()
        if self.target.with_replicas:
            self._start_polling()

    async def close(self) -> None:
        """See `Shard.close`."""
        self._closed = True
        tasks = [task for task in (self._refreshing, self._polling) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(self._replica_pool.close(), *(node.close() for node in self._nodes.values()))

    def execute(self, command: Command, key: bytes | str, decode: Decode | None = None) -> Awaitable[Any]:
        """See `Shard.execute`."""
        return self._execute_at(self._primaries_by_slot[slot_of(key)], command, decode)

    def publish(self, command: Command, key: bytes | str, decode: Decode | None = None) -> Awaitable[Any]:
        """See `Shard.publish`."""
        node = self._primaries_by_slot[slot_of(key)]
        if node is None or node.is_lost:
            node = next((candidate for candidate in self._nodes.values() if not candidate.is_lost), node)
        return self._execute_at(node, command, decode)

    async def _execute_at(
        self, node: _Node | None, command: Command, decode: Decode | None, tries: int = MAX_TRIES
    ) -> Any:
        if node is None:
            self.schedule_refresh()
            raise EngineUnavailable(_SLOT_NOT_SERVED)
        owner, asking = node, False
        for _ in range(MAX_REDIRECTS):
            try:
                reply = await (node.execute_asking(command) if asking else node.execute(command))
                return reply if decode is None else decode(reply)
            except CommandError as error:
                if error.code == "TRYAGAIN" and tries > 1:
                    break
                if error.code not in ("MOVED", "ASK"):
                    raise
                asking = error.code == "ASK"
                if not asking:
                    self.schedule_refresh()
                node = self._node(_address_in(str(error), node.address))
        else:
            raise EngineUnavailable("too many redirections by Redis Cluster")
        # TRYAGAIN: the keys are split between two nodes during the migration. Nothing was executed.
        await asyncio.sleep(RETRY_SECONDS)
        return await self._execute_at(owner, command, decode, tries - 1)

    async def read(self, command: Command, key: bytes | str) -> Any:
        """See `Shard.read`."""
        node = self._primaries_by_slot[slot_of(key)]
        replicas = self._read_replicas.get(node.address, ()) if node is not None else ()
        return await read_from_replicas(replicas, command, lambda: self.execute(command, key))

    async def find_endpoints(self) -> Endpoints:
        """See `EndpointProvider.find_endpoints`.

        Any node will do: PUBLISH reaches all of them. Known endpoints are returned immediately, and refreshed in the
        background.
        """
        if self.endpoints.primaries:
            self.schedule_refresh()
        else:
            await self.refresh_topology()
        return self.endpoints

    def endpoints_of(self, key: str) -> Endpoints:
        """Endpoints of the slot of a key; empty if no node serves it."""
        node = self._primaries_by_slot[slot_of(key)]
        return Endpoints(()) if node is None else Endpoints((node.address,), self._replicas.get(node.address, ()))

    async def refresh_topology(self) -> None:
        """Refresh the topology; concurrent calls share one refresh."""
        self.schedule_refresh()
        if self._refreshing is not None:
            await asyncio.shield(self._refreshing)

    def schedule_refresh(self) -> None:
        """Start a refresh of the topology, unless one is running.

        It is delayed if the last one was a moment ago.
        """
        if self._refreshing is None and not self._closed:
            self._refreshing = asyncio.get_running_loop().create_task(self._refresh_topology())

    @property
    def is_lost(self) -> bool:
        """See `Shard.is_lost`."""
        return any(node.is_lost for node in self._nodes.values())

    def watch_primary(self, on_changed: Callable[[str], None]) -> None:
        """See `EndpointProvider.watch_primary`.

        Never called: PUB/SUB connections detect lost nodes themselves, and removed ones by probes.
        """

    def watch_endpoints(self, on_updated: Callable[[], None]) -> None:
        """See `EndpointProvider.watch_endpoints`."""
        self._endpoint_watchers.append(on_updated)
        self._start_polling()

    def _node(self, address: Address) -> _Node:
        node = self._nodes.get(address)
        if node is None:
            node = self._nodes[address] = _Node(address, self.target.login, self.schedule_refresh)
        return node

    def _start_polling(self) -> None:
        if self._polling is None:
            self._polling = asyncio.get_running_loop().create_task(self._poll())

    async def _poll(self) -> NoReturn:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            self.schedule_refresh()

    async def _refresh_topology(self) -> None:
        time = asyncio.get_running_loop().time
        await asyncio.sleep(self._refreshed_at + MIN_REFRESH_INTERVAL - time())
        try:
            await self._refresh()
        except EngineUnavailable as error:
            log.error("cannot get the topology of the Redis Cluster from any node", error=error)
            self.endpoints = Endpoints(())
        finally:
            self._refreshed_at = time()
            self._refreshing = None
            if self._next_refresh is not None:
                self._next_refresh.cancel()
            if self.is_lost:
                self._next_refresh = asyncio.get_running_loop().call_later(
                    LOST_NODE_REFRESH_SECONDS, self.schedule_refresh
                )
        for on_updated in self._endpoint_watchers:
            on_updated()

    async def _refresh(self) -> None:
        """Get the topology from the first node that answers.

        Known nodes come first, lost ones last among these.
        """
        known = random.sample(self.endpoints.primaries, len(self.endpoints.primaries))
        known.sort(key=lambda address: self._node(address).is_lost)
        errors = []
        for address in dict.fromkeys((*known, *self._nodes, *self.target.seeds)):
            try:
                self._apply_topology(address, await self._fetch_slots(address))
            except EngineUnavailable as error:
                errors.append(str(error))
            else:
                return
        raise EngineUnavailable("; ".join(errors))

    async def _fetch_slots(self, address: Address) -> Any:
        connection = await connect(address, self.target.login, Connection)
        try:
            return await connection.execute(("CLUSTER", "SLOTS"))
        finally:
            await connection.wait_closed()

    def _apply_topology(self, queried: Address, ranges: list[Any]) -> None:
        """Apply the reply to `CLUSTER SLOTS`.

        It has the primary and the replicas of each slot range.
        """
        owners: list[_Node | None] = [None] * SLOTS
        replicas: dict[Address, tuple[Address, ...]] = {}
        for first, last, primary, *secondaries in ranges:
            address = _address_of(primary, queried)
            owners[first : last + 1] = [self._node(address)] * (last + 1 - first)
            replicas[address] = (
                tuple(_address_of(each, queried) for each in secondaries) if self.target.with_replicas else ()
            )
        self._primaries_by_slot = owners
        self._replicas = replicas
        all_replicas = tuple(dict.fromkeys(each for group in replicas.values() for each in group))
        self.endpoints = Endpoints(tuple(replicas), all_replicas)
        self._replica_pool.update(all_replicas)
        self._read_replicas = {primary: self._replica_pool.at(group) for primary, group in replicas.items()}
        for address in self._nodes.keys() - replicas.keys():
            log.warn("a Redis server is no longer a primary of the cluster", address=address)
            self._nodes.pop(address).close_soon()


def _address_of(node: list[Any], queried: Address) -> Address:
    """The address of a node in the topology.

    An omitted host means that of the queried node.
    """
    return Address((node[0] or b"").decode() or queried.host, node[1])


def _address_in(redirection: str, queried: Address) -> Address:
    """The address in `MOVED 3999 host:port`.

    An omitted host means that of the queried node.
    """
    host, _, port = redirection.rpartition(" ")[2].rpartition(":")
    return Address(host or queried.host, int(port))
