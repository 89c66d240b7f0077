"""Redis Cluster: commands go to the node that has their slot (07 §4.3, §4.4)."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, Final, NoReturn

from msgspec.structs import replace

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from ..connections.address import Address
from ..connections.command_connection import Link
from ..connections.connection import Connection, connect
from ..connections.errors import CommandRefused
from ..pubsub.connectors import Places
from .replicas import Readers, Replica, read
from .slots import SLOTS, slot_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..connections.address import Login, Target
    from ..connections.connection import Command, Reading

log = get_logger(__name__)

MOST_REDIRECTS: Final = 5
TRY_AGAIN_SECONDS: Final = 0.05
MOST_TRIES: Final = 20
"""For about a second: most slots have moved by then."""
PAUSE_BETWEEN_LOOKS: Final = 0.25
LOOK_AGAIN_SECONDS: Final = 1.0
"""When it is learnt anew while a node is lost."""
POLL_SECONDS: Final = 30.0
"""How often the topology is learnt anew where it matters even while all is well (07 §22.4)."""

_UNSERVED: Final = "no node of the Redis Cluster serves this slot"


class _Node(Link):
    """The way to one node."""

    def __init__(self, address: Address, login: Login, on_loss: Callable[[], None]) -> None:
        self.address = address
        super().__init__(self._find_address, login, on_loss)

    async def execute_asking(self, command: Command) -> Any:
        """Execute a command on a slot that is on its way here."""
        connection = await self.connection()
        asking = connection.execute(("ASKING",))
        answer = connection.execute(command)  # in the same step: nothing comes between
        _, reply = await asyncio.gather(asking, answer)
        return reply

    async def _find_address(self) -> Address:
        return self.address


class ClusterShard:
    """Learns the topology at start, when it is redirected, when a node is lost, and every now and then where somebody
    watches. Redirections are followed, and what cannot be done while its slot moves is tried again for a while."""

    is_cluster = True

    def __init__(self, target: Target) -> None:
        self.target = target
        self.places = Places(())
        self._nodes: dict[Address, _Node] = {}
        self._owners: list[_Node | None] = [None] * SLOTS
        self._replicas: dict[Address, tuple[Address, ...]] = {}
        # Replicas refuse to read, and to end subscriptions of sharded PUB/SUB, for whoever has not said that.
        self.replica_login = replace(target.login, read_only=True)
        self._readers = Readers(self.replica_login, self.look_soon)
        self._reading: dict[Address, tuple[Replica, ...]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._looked_at = 0.0
        self._next_look: asyncio.TimerHandle | None = None
        self._polling: asyncio.Task[NoReturn] | None = None
        self._lookers: list[Callable[[], None]] = []
        self._closed = False

    async def start(self) -> None:
        """See `Shard.start`."""
        await self._look()
        if self.target.with_replicas:
            self._poll_from_now_on()

    async def close(self) -> None:
        """See `Shard.close`."""
        self._closed = True
        tasks = [task for task in (self._looking, self._polling) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(self._readers.close(), *(node.close() for node in self._nodes.values()))

    def execute(self, command: Command, key: bytes | str, reading: Reading | None = None) -> Awaitable[Any]:
        """See `Shard.execute`."""
        return self._execute_at(self._owners[slot_of(key)], command, reading)

    def publish(self, command: Command, key: bytes | str, reading: Reading | None = None) -> Awaitable[Any]:
        """See `Shard.publish`."""
        node = self._owners[slot_of(key)]
        if node is None or node.is_lost:
            node = next((other for other in self._nodes.values() if not other.is_lost), node)
        return self._execute_at(node, command, reading)

    async def _execute_at(
        self, node: _Node | None, command: Command, reading: Reading | None, tries: int = MOST_TRIES
    ) -> Any:
        if node is None:
            self.look_soon()
            raise EngineUnavailable(_UNSERVED)
        owner, asking = node, False
        for _ in range(MOST_REDIRECTS):
            try:
                reply = await (node.execute_asking(command) if asking else node.execute(command))
                return reply if reading is None else reading(reply)
            except CommandRefused as error:
                if error.code == "TRYAGAIN" and tries > 1:
                    break
                if error.code not in ("MOVED", "ASK"):
                    raise
                asking = error.code == "ASK"
                if not asking:
                    self.look_soon()
                node = self._node(_address_in(str(error), node.address))
        else:
            raise EngineUnavailable("too many redirections by Redis Cluster")
        # Some of its keys are here, others there, on the way: nothing has been done.
        await asyncio.sleep(TRY_AGAIN_SECONDS)
        return await self._execute_at(owner, command, reading, tries - 1)

    async def read(self, command: Command, key: bytes | str) -> Any:
        """See `Shard.read`."""
        node = self._owners[slot_of(key)]
        replicas = self._reading.get(node.address, ()) if node is not None else ()
        return await read(replicas, command, lambda: self.execute(command, key))

    async def find_places(self) -> Places:
        """See `Place.find_places`. Any server will do: they tell each other what is published. When something is known
        it has to do for now."""
        if self.places.primaries:
            self.look_soon()
        else:
            await self.look_again()
        return self.places

    def places_of(self, key: str) -> Places:
        """Where the slot of a key is; nowhere if it is not served."""
        node = self._owners[slot_of(key)]
        return Places(()) if node is None else Places((node.address,), self._replicas.get(node.address, ()))

    async def look_again(self) -> None:
        """Learn the topology anew, together with everybody who wants that now."""
        self.look_soon()
        if self._looking is not None:
            await asyncio.shield(self._looking)

    def look_soon(self) -> None:
        """Have it learnt anew, at once if that has not been done a moment ago."""
        if self._looking is None and not self._closed:
            self._looking = asyncio.get_running_loop().create_task(self._look_again())

    @property
    def is_lost(self) -> bool:
        """See `Shard.is_lost`."""
        return any(node.is_lost for node in self._nodes.values())

    def follow(self, leave: Callable[[str], None]) -> None:
        """See `Place.follow`. Nodes that are lost are noticed by the connection, those that are expelled by probes."""

    def watch(self, look: Callable[[], None]) -> None:
        """See `Place.watch`."""
        self._lookers.append(look)
        self._poll_from_now_on()

    def _node(self, address: Address) -> _Node:
        node = self._nodes.get(address)
        if node is None:
            node = self._nodes[address] = _Node(address, self.target.login, self.look_soon)
        return node

    def _poll_from_now_on(self) -> None:
        if self._polling is None:
            self._polling = asyncio.get_running_loop().create_task(self._poll())

    async def _poll(self) -> NoReturn:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            self.look_soon()

    async def _look_again(self) -> None:
        time = asyncio.get_running_loop().time
        await asyncio.sleep(self._looked_at + PAUSE_BETWEEN_LOOKS - time())
        try:
            await self._look()
        except EngineUnavailable as error:
            log.error("no node of the Redis Cluster tells its topology", error=error)
            self.places = Places(())
        finally:
            self._looked_at = time()
            self._looking = None
            if self._next_look is not None:
                self._next_look.cancel()
            if self.is_lost:
                self._next_look = asyncio.get_running_loop().call_later(LOOK_AGAIN_SECONDS, self.look_soon)
        for look in self._lookers:
            look()

    async def _look(self) -> None:
        """Ask any node that answers for the topology, known ones first, and those that are lost last of these."""
        known = random.sample(self.places.primaries, len(self.places.primaries))
        known.sort(key=lambda address: self._node(address).is_lost)
        errors = []
        for address in dict.fromkeys((*known, *self._nodes, *self.target.seeds)):
            try:
                self._learn(address, await self._ask(address))
            except EngineUnavailable as error:
                errors.append(str(error))
            else:
                return
        raise EngineUnavailable("; ".join(errors))

    async def _ask(self, address: Address) -> Any:
        connection = await connect(address, self.target.login, Connection)
        try:
            return await connection.execute(("CLUSTER", "SLOTS"))
        finally:
            await connection.wait_closed()

    def _learn(self, asked: Address, ranges: list[Any]) -> None:
        """Take over which primary has which slots, and which replicas."""
        owners: list[_Node | None] = [None] * SLOTS
        replicas: dict[Address, tuple[Address, ...]] = {}
        for first, last, primary, *others in ranges:
            address = _address_of(primary, asked)
            owners[first : last + 1] = [self._node(address)] * (last + 1 - first)
            replicas[address] = tuple(_address_of(each, asked) for each in others) if self.target.with_replicas else ()
        self._owners = owners
        self._replicas = replicas
        all_replicas = tuple(dict.fromkeys(each for group in replicas.values() for each in group))
        self.places = Places(tuple(replicas), all_replicas)
        self._readers.know(all_replicas)
        self._reading = {primary: self._readers.of(group) for primary, group in replicas.items()}
        for address in self._nodes.keys() - replicas.keys():
            log.warn("a Redis server is not a primary of the cluster any more", address=address)
            self._nodes.pop(address).retire()


def _address_of(node: list[Any], asked: Address) -> Address:
    """Of a node in a topology; the host is left out where it is the one that was asked."""
    return Address((node[0] or b"").decode() or asked.host, node[1])


def _address_in(redirection: str, asked: Address) -> Address:
    """Of `MOVED 3999 host:port`; the host is left out where it is the one that was asked."""
    host, _, port = redirection.rpartition(" ")[2].rpartition(":")
    return Address(host or asked.host, int(port))
