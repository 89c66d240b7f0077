"""A shard whose primary is managed by Sentinels (07 §4.3)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from ..connections.address import Address
from ..connections.command_connection import CommandConnection
from ..connections.connection import Connection, connect
from ..connections.errors import CommandError
from ..pubsub.connection import PubSubConnection
from ..pubsub.group import SubscriptionGroup
from .endpoints import Endpoints
from .replicas import Replica, ReplicaPool, read_from_replicas

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..connections.address import Target
    from ..connections.connection import Command, Decode

log = get_logger(__name__)

QUERY_SECONDS: Final = 5.0
"""Interval of queries to the Sentinels, because an announcement may be missed."""
_DOWN_FLAGS: Final = frozenset((b"s_down", b"o_down", b"disconnected"))


class SentinelShard:
    """A shard managed by Sentinels, which follows failovers.

    It notices them by announcements of a Sentinel, by periodic queries, and when a server refuses to write. It knows
    the replicas that Sentinels report as healthy, if replicas may be used.
    """

    is_cluster = False

    def __init__(self, target: Target) -> None:
        self.target = target
        self.endpoints = Endpoints(())
        self._sentinels = list(target.seeds)
        self._commands = CommandConnection(self._find_primary, target.login, self._schedule_query, self._is_primary)
        self.replica_login = target.login
        self.publish = self.execute
        self._replica_pool = ReplicaPool(self.replica_login, self._schedule_query)
        self._read_replicas: tuple[Replica, ...] = ()
        self._query_requested = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._primary_watchers: list[Callable[[str], None]] = []
        self._endpoint_watchers: list[Callable[[], None]] = []

    async def start(self) -> None:
        """See `Shard.start`."""
        await self._commands.connection()
        self._watching = asyncio.get_running_loop().create_task(self._watch_sentinels())

    async def close(self) -> None:
        """See `Shard.close`."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._commands.close()
        await self._replica_pool.close()

    async def execute(self, command: Command, key: bytes | str, decode: Decode | None = None) -> Any:
        """See `Shard.execute`."""
        try:
            return await self._commands.execute(command, key, decode)
        except CommandError as error:
            if error.is_from_replica:
                self._schedule_query()
            raise

    def read(self, command: Command, key: bytes | str) -> Awaitable[Any]:
        """See `Shard.read`."""
        return read_from_replicas(self._read_replicas, command, lambda: self.execute(command, key))

    async def find_endpoints(self) -> Endpoints:
        """See `EndpointProvider.find_endpoints`.

        Queries the Sentinels; while none answers, the last known endpoints stay valid.
        """
        try:
            return await self._query_sentinels()
        except EngineUnavailable:
            if self.endpoints.primaries:
                return self.endpoints
            raise

    async def _query_sentinels(self) -> Endpoints:
        errors = []
        for sentinel in list(self._sentinels):
            try:
                endpoints = await self._query(sentinel)
            except EngineUnavailable as error:
                errors.append(str(error))
                continue
            self._sentinels.remove(sentinel)  # the Sentinel that answered is queried first next time
            self._sentinels.insert(0, sentinel)
            self._apply(endpoints)
            return endpoints
        raise EngineUnavailable("; ".join(errors))

    @property
    def is_lost(self) -> bool:
        """See `Shard.is_lost`."""
        return self._commands.is_lost

    def watch_primary(self, on_changed: Callable[[str], None]) -> None:
        """See `EndpointProvider.watch_primary`."""
        self._primary_watchers.append(on_changed)

    def watch_endpoints(self, on_updated: Callable[[], None]) -> None:
        """See `EndpointProvider.watch_endpoints`."""
        self._endpoint_watchers.append(on_updated)

    def _schedule_query(self) -> None:
        self._query_requested.set()

    async def _watch_sentinels(self) -> None:
        """Query the Sentinels periodically and on request."""
        announcements = asyncio.get_running_loop().create_task(self._receive_announcements())
        try:
            while True:
                try:
                    async with asyncio.timeout(QUERY_SECONDS):
                        await self._query_requested.wait()
                except TimeoutError:
                    pass
                self._query_requested.clear()
                await self._refresh()
                await asyncio.sleep(0.25)
        finally:
            announcements.cancel()

    async def _refresh(self) -> None:
        try:
            await self._query_sentinels()
        except EngineUnavailable as error:
            log.error("no Sentinel knows the primary", error=error)

    async def _find_primary(self) -> Address:
        return (await self.find_endpoints()).primaries[0]

    def _apply(self, now: Endpoints) -> None:
        """Apply new endpoints.

        After a failover all connections leave the former primary immediately, because it may accept writes that will be
        lost.
        """
        before, self.endpoints = self.endpoints, now
        self._replica_pool.update(now.replicas)
        self._read_replicas = self._replica_pool.at(now.replicas)
        if before.primaries and now.primaries != before.primaries:
            log.warn("Redis failover: the primary has changed", before=before.primaries[0], now=now.primaries[0])
            for on_changed in (self._commands.reset, *self._primary_watchers):
                on_changed("no longer the primary")
        for on_updated in self._endpoint_watchers:
            on_updated()

    def _is_primary(self, address: Address) -> bool:
        return address in self.endpoints.primaries

    async def _query(self, sentinel: Address) -> Endpoints:
        name = self.target.master_name
        connection = await connect(sentinel, self.target.sentinel_login, Connection)
        try:
            reply = await connection.execute(("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name))
            if reply is None:
                raise EngineUnavailable(f"the Sentinel at {sentinel} knows no {name!r}")
            primary = Address(reply[0].decode(), int(reply[1]))
            if not self.target.with_replicas:
                return Endpoints((primary,))
            reply = await connection.execute(("SENTINEL", "REPLICAS", name))
        finally:
            await connection.wait_closed()
        return Endpoints((primary,), tuple(each for each in map(_replica_in, reply) if each not in (None, primary)))

    async def _receive_announcements(self) -> None:
        """Receive the announcements of one Sentinel.

        When its connection is lost, of the next one.
        """

        def on_announcement(_name: bytes, _payload: bytes) -> None:
            self._schedule_query()

        attempts = 0
        while True:
            sentinel = self._sentinels[attempts % len(self._sentinels)]
            attempts += 1
            try:
                login = self.target.sentinel_login
                connection = await connect(sentinel, login, PubSubConnection)
            except EngineUnavailable as error:
                log.warn("cannot receive announcements of a Sentinel", error=error)
                await asyncio.sleep(1)
                continue
            try:
                connection.start_receiving(on_announcement)
                await asyncio.shield(
                    connection.request([b"+switch-master"], SubscriptionGroup((), ""), subscribe=True).future
                )
                await asyncio.wait([connection.lost])
            except EngineUnavailable as error:
                log.warn("cannot receive announcements of a Sentinel", error=error)
            finally:
                await connection.wait_closed()
            self._schedule_query()
            await asyncio.sleep(1)


def _replica_in(reply: dict[bytes, bytes] | list[bytes]) -> Address | None:
    """The address in an entry of `SENTINEL REPLICAS`, in RESP2 or RESP3.

    None if the Sentinel or the primary does not reach the replica.
    """
    replica = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
    if replica[b"master-link-status"] != b"ok" or _DOWN_FLAGS.intersection(replica[b"flags"].split(b",")):
        return None
    return Address(replica[b"ip"].decode(), int(replica[b"port"]))
