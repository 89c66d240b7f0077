"""Partitions grouped by Redis server.

There is one PUB/SUB connection for each server (07 §22.4).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from ..connections.connection import connect
from .connection import PubSubConnection
from .connectors import SuspectServers, open_at_replica
from .supervisor import outage_of, outages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..connections.address import Address, Login
    from ..topology.cluster import ClusterShard
    from .group import SubscriptionGroup
    from .supervisor import ConnectionSupervisor, Connector

    MakeSupervisor = Callable[[Connector, Callable[[SubscriptionGroup], None]], ConnectionSupervisor]

log = get_logger(__name__)


class PartitionGroups:
    """Assigns each subscription group to the supervisor of a server.

    The server is the one that has the group's partition; the group is reassigned when the partition moves.

    The topology is refreshed when a server ends subscriptions, when a connection is lost, and periodically. Groups
    whose partitions have not moved stay subscribed. `from_replicas`: subscribe on one replica of each primary, if there
    is one.
    """

    def __init__(
        self,
        shard: ClusterShard,
        purpose: str,
        groups: Sequence[SubscriptionGroup],
        make_supervisor: MakeSupervisor,
        *,
        from_replicas: bool,
    ) -> None:
        """`make_supervisor` gets a connector and a callback for groups that moved.

        Its result has no groups yet.
        """
        self._shard = shard
        self._purpose = purpose
        self._groups = groups
        self._make_supervisor = make_supervisor
        self._from_replicas = from_replicas
        self._servers: dict[Address, _ServerConnector] = {}
        self._supervisors: dict[Address, ConnectionSupervisor] = {}
        self._assigned: dict[SubscriptionGroup, Address] = {}
        self._chosen_servers: dict[Address, Address] = {}
        self._suspects = SuspectServers()
        self._opened: dict[Address, PubSubConnection] = {}
        self._topology_changed = asyncio.Event()
        self._running: asyncio.Task[NoReturn] | None = None

    async def start(self) -> None:
        """Start the supervisors.

        Returns after the first connection attempt to every server, successful or not.
        """
        self._shard.watch_endpoints(self._topology_changed.set)
        await self._assign_groups()
        await asyncio.gather(*(supervisor.wait_first_attempt() for supervisor in self._supervisors.values()))
        self._running = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Stop receiving."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        opened = (connection.wait_closed() for connection in self._opened.values())
        await asyncio.gather(*opened, *(supervisor.close() for supervisor in self._supervisors.values()))

    @property
    def silence(self) -> float:
        """See `ConnectionSupervisor.silence`."""
        return max((supervisor.silence for supervisor in self._supervisors.values()), default=0.0)

    @property
    def outage(self) -> str:
        """See `ConnectionSupervisor.outage`."""
        if all(group.is_active for group in self._groups):
            return outages_of(self._supervisors.values())
        return outage_of(self._purpose, self._shard.target)

    # ------------------------------------------------------------------------------------------ inside

    async def _run(self) -> NoReturn:
        while True:
            await self._topology_changed.wait()
            self._topology_changed.clear()
            try:
                await self._assign_groups()
            except Exception:
                log.exception("cannot assign partitions to PUB/SUB connections", shard=self._shard.target)

    async def _assign_groups(self) -> None:
        """Assign every group to the server of its partition.

        The topology is refreshed if some partition has no server.
        """
        by_primary: dict[Address, list[SubscriptionGroup]] = {}
        for group in self._groups:
            for primary in self._shard.endpoints_of(group.probe).primaries:
                by_primary.setdefault(primary, []).append(group)
        servers = await asyncio.gather(
            *(self._server_for(primary, groups[0]) for primary, groups in by_primary.items())
        )
        for groups, server in zip(by_primary.values(), servers, strict=True):
            await self._move_groups(groups, server)
        self._chosen_servers = {
            primary: server for primary, server in self._chosen_servers.items() if primary in by_primary
        }
        for address, supervisor in list(self._supervisors.items()):
            if not supervisor.groups:
                await self._close_supervisor(address)
        if len(self._assigned) < len(self._groups):
            self._shard.schedule_refresh()

    async def _server_for(self, primary: Address, group: SubscriptionGroup) -> Address:
        """The server on which to subscribe the partitions of a primary."""
        if not self._from_replicas:
            return primary
        replicas = self._suspects.trusted(self._shard.endpoints_of(group.probe).replicas)
        chosen = self._chosen_servers.get(primary, primary)
        if chosen in replicas and chosen in self._servers and self._servers[chosen].is_reachable:
            return chosen
        connection = await open_at_replica(replicas, self._shard.replica_login)
        if connection is None:
            if self._chosen_servers.get(primary) != primary:
                log.warn("no Redis replica is available for PUB/SUB, using its primary", primary=primary)
            self._chosen_servers[primary] = primary
            return primary
        address = connection.address
        if address in self._servers:
            self._servers[address].adopt(connection)
        else:
            self._opened[address] = connection
        self._chosen_servers[primary] = address
        return address

    async def _move_groups(self, groups: list[SubscriptionGroup], server: Address) -> None:
        """Move groups to one server.

        They leave their former servers first, so that no message is delivered twice.
        """
        moving = [group for group in groups if self._assigned.get(group) != server]
        if not moving:
            return
        former = {address for group in moving if (address := self._assigned.pop(group, None)) is not None}
        for address in former:
            supervisor = self._supervisors[address]
            for group in moving:
                if group in supervisor.groups:
                    supervisor.remove_group(group)
            if not supervisor.groups:
                await self._close_supervisor(address)
        supervisor = self._supervisor_at(server)
        if former:
            log.info("partitions of Redis have moved", partitions=len(moving), address=server)
        for group in moving:
            self._assigned[group] = server
            supervisor.add_group(group)

    def _supervisor_at(self, address: Address) -> ConnectionSupervisor:
        supervisor = self._supervisors.get(address)
        if supervisor is None:
            login = self._shard.replica_login if self._from_replicas else self._shard.target.login
            server = self._servers[address] = _ServerConnector(self._shard, address, login, self._suspects)
            if address in self._opened:
                server.adopt(self._opened.pop(address))
            supervisor = self._supervisors[address] = self._make_supervisor(server, self._on_slot_moved)
            supervisor.start_in_background()
        return supervisor

    async def _close_supervisor(self, address: Address) -> None:
        del self._servers[address]
        await self._supervisors.pop(address).close()

    def _on_slot_moved(self, group: SubscriptionGroup) -> None:
        """The partition of a group is no longer on its server."""
        self._assigned.pop(group, None)
        self._shard.schedule_refresh()


class _ServerConnector:
    """Opens PUB/SUB connections to one Redis server."""

    def __init__(self, shard: ClusterShard, address: Address, login: Login, mark_suspect: SuspectServers) -> None:
        self.target = shard.target
        self.execute = shard.execute
        self.mark_suspect = mark_suspect.add
        self._login = login
        self.is_reachable = True
        self._shard = shard
        self._address = address
        self._opened: PubSubConnection | None = None
        self._is_first = True

    def adopt(self, connection: PubSubConnection) -> None:
        """Use this open connection for the next `open`."""
        if self._opened is not None:
            self._opened.close()
        self._opened = connection

    async def open(self) -> PubSubConnection:
        """See `Connector.open`.

        A repeated call refreshes the topology: partitions may have moved.
        """
        if not self._is_first:
            self._shard.schedule_refresh()
        self._is_first = False
        connection, self._opened = self._opened, None
        if connection is None or connection.lost.done():
            try:
                connection = await connect(self._address, self._login, PubSubConnection)
            except EngineUnavailable:
                self.is_reachable = False
                raise
        self.is_reachable = True
        return connection

    def watch(self, on_address_changed: Callable[[str], None]) -> None:
        """See `Connector.watch`. Never called: groups are moved individually."""

    async def close(self) -> None:
        """See `Connector.close`."""
        if self._opened is not None:
            await self._opened.wait_closed()
