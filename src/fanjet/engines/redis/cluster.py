"""Redis Cluster: commands go to the node that has their slot (07 §4.3, §4.4)."""

from __future__ import annotations

import asyncio
import random
from binascii import crc_hqx
from typing import TYPE_CHECKING, Any, Final

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from .address import Address
from .connection import Connection, connect
from .errors import CommandRefused
from .link import Link

if TYPE_CHECKING:
    from collections.abc import Callable

    from .address import Login, Target
    from .connection import Command

log = get_logger(__name__)

SLOTS: Final = 16384
MOST_REDIRECTS: Final = 5
PAUSE_BETWEEN_LOOKS: Final = 0.25

_UNSERVED: Final = "no node of the Redis Cluster serves this slot"


def slot_of(key: bytes | str) -> int:
    """The slot of a key: that of its hash tag, if it has one."""
    raw = key.encode() if isinstance(key, str) else key
    start = raw.find(b"{")
    if start >= 0:
        end = raw.find(b"}", start + 1)
        if end > start + 1:
            raw = raw[start + 1 : end]
    return crc_hqx(raw, 0) % SLOTS


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
        await asking
        return await answer

    async def _find_address(self) -> Address:
        return self.address


class ClusterShard:
    """Learns the topology at start, when it is redirected, and when a node is lost. Redirections are followed."""

    is_cluster = True

    def __init__(self, target: Target) -> None:
        self.target = target
        self._nodes: dict[Address, _Node] = {}
        self._owners: list[_Node | None] = [None] * SLOTS
        self._primaries: list[Address] = []
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    async def start(self) -> None:
        """See `Shard.start`."""
        await self._look()

    async def close(self) -> None:
        """See `Shard.close`."""
        self._closed = True
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await asyncio.gather(*(node.close() for node in self._nodes.values()))

    async def execute(self, command: Command, key: bytes | str) -> Any:
        """See `Shard.execute`."""
        node = self._owners[slot_of(key)]
        if node is None:
            self._look_soon()
            raise EngineUnavailable(_UNSERVED)
        asking = False
        for _ in range(MOST_REDIRECTS):
            try:
                return await (node.execute_asking(command) if asking else node.execute(command))
            except CommandRefused as error:
                if error.code not in ("MOVED", "ASK"):
                    raise
                asking = error.code == "ASK"
                if not asking:
                    self._look_soon()
                node = self._node(_address_in(str(error), node.address))
        raise EngineUnavailable("too many redirections by Redis Cluster")

    async def listening_address(self) -> Address:
        """See `Shard.listening_address`. Any primary will do: they tell each other what is published."""
        if not self._primaries:
            await self._look()
        return random.choice(self._primaries)

    def owner_of(self, key: str) -> Address:
        """The primary that has the slot of a key. Raises `EngineUnavailable`."""
        node = self._owners[slot_of(key)]
        if node is None:
            raise EngineUnavailable(_UNSERVED)
        return node.address

    async def look_again(self) -> None:
        """Learn the topology anew, together with everybody who wants that now."""
        self._look_soon()
        if self._looking is not None:
            await asyncio.shield(self._looking)

    @property
    def is_lost(self) -> bool:
        """See `Shard.is_lost`."""
        return any(node.is_lost for node in self._nodes.values())

    def follow(self, leave: Callable[[str], None]) -> None:
        """See `Shard.follow`. Nodes that are lost are noticed by the connection, those that are expelled by probes."""

    def _node(self, address: Address) -> _Node:
        node = self._nodes.get(address)
        if node is None:
            node = self._nodes[address] = _Node(address, self.target.login, self._look_soon)
        return node

    def _look_soon(self) -> None:
        if self._looking is None and not self._closed:
            self._looking = asyncio.get_running_loop().create_task(self._look_again())

    async def _look_again(self) -> None:
        try:
            await self._look()
        except EngineUnavailable as error:
            log.error("no node of the Redis Cluster tells its topology", error=error)
            self._primaries = []
        finally:
            await asyncio.sleep(PAUSE_BETWEEN_LOOKS)
            self._looking = None

    async def _look(self) -> None:
        """Ask any node that answers for the topology, known ones first."""
        known = random.sample(self._primaries, len(self._primaries))
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
        """Take over which primary has which slots."""
        owners: list[_Node | None] = [None] * SLOTS
        primaries = []
        for first, last, primary, *_ in ranges:
            address = Address((primary[0] or b"").decode() or asked.host, primary[1])
            primaries.append(address)
            owners[first : last + 1] = [self._node(address)] * (last + 1 - first)
        self._owners = owners
        self._primaries = list(dict.fromkeys(primaries))
        for address in self._nodes.keys() - set(primaries):
            log.warn("a Redis server is not a primary of the cluster any more", address=address)
            self._nodes.pop(address).retire()


def _address_in(redirection: str, asked: Address) -> Address:
    """Of `MOVED 3999 host:port`; the host is left out where it is the one that was asked."""
    host, _, port = redirection.rpartition(" ")[2].rpartition(":")
    return Address(host or asked.host, int(port))
