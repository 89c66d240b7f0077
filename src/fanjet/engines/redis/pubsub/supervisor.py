"""Supervision of PUB/SUB connections: subscribes, probes and reconnects (07 §8)."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from ..connections.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from ..connections.address import Address, Target
    from ..connections.connection import Command
    from .connection import PubSubConnection
    from .group import SubscriptionGroup

log = get_logger(__name__)

RETRY_SECONDS: Final = 0.25
PROBE_SECONDS: Final = 30.0
SILENCE_LIMIT: Final = 2.5
"""Probe intervals without a message until a connection counts as dead: one until the probe, one for its return."""
MAX_PAUSE: Final = 10
"""Longest pause between restarts, in probe intervals, when reconnecting has not helped repeatedly."""
PROBE: Final = b"probe"


class Connector(Protocol):
    """Opens PUB/SUB connections.

    To a shard, a partition, or a server with several partitions.
    """

    @property
    def target(self) -> Target:
        """See `Shard`."""

    def execute(self, command: Command, key: bytes | str) -> Awaitable[Any]:
        """See `Shard.execute`."""

    async def open(self) -> PubSubConnection:
        """Open a connection to the right server at this time. Raises `EngineUnavailable`."""

    def watch(self, on_address_changed: Callable[[str], None]) -> None:
        """Call `on_address_changed` when the connection has to move.

        It has to move to another server; the argument is the reason.
        """

    def mark_suspect(self, address: Address) -> None:
        """A connection to this address did not deliver a published message."""

    async def close(self) -> None:
        """Stop looking for a better server."""


class ConnectionSupervisor:
    """Keeps subscription groups active over one connection.

    `on_message` gets name and payload of each message.

    `count_error` gets `subscribe`, `subscribe_channel`, `connection`, `probe_publish` or `probe_timeout`.

    After `probe_seconds` without a message it publishes one to the probe channel of a group. When Redis accepts it and
    it does not come back, the connection leads to a server that receives no messages, and is replaced.

    `sharded`: use the commands of sharded PUB/SUB, where all names of a group are in one slot. When the slot moves or
    is on another server, the group is removed and `on_slot_moved` gets it; without this callback the connection is
    replaced.
    """

    def __init__(
        self,
        connector: Connector,
        purpose: str,
        groups: Iterable[SubscriptionGroup],
        on_message: Callable[[bytes, bytes], None],
        *,
        count_error: Callable[[str], None],
        on_restored: Callable[[], None] = lambda: None,
        on_slot_moved: Callable[[SubscriptionGroup], None] | None = None,
        sharded: bool = False,
        probe_seconds: float = PROBE_SECONDS,
    ) -> None:
        """`on_restored` is called when all subscriptions are active again after a loss."""
        self.groups = list(groups)
        self._connector = connector
        self._on_restored = on_restored
        self._on_slot_moved = on_slot_moved
        self._count_error = count_error
        self._sharded = sharded
        self._publish = "SPUBLISH" if sharded else "PUBLISH"
        self._purpose = purpose
        self._on_message = on_message
        self._probe_seconds = probe_seconds
        self._probes = 0
        self._connection: PubSubConnection | None = None
        self._failure = ""
        self._failed_restarts = 0
        self._received_at = asyncio.get_running_loop().time()
        self._running: asyncio.Task[NoReturn] | None = None
        self._attempted = asyncio.Event()
        self._activations: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start; returns after the first connection attempt, successful or not."""
        self.start_in_background()
        await self.wait_first_attempt()

    def start_in_background(self) -> None:
        """Start without waiting for the first attempt."""
        self._connector.watch(self.restart)
        self._running = asyncio.get_running_loop().create_task(self._run())

    async def wait_first_attempt(self) -> None:
        """Wait for the end of the first connection attempt."""
        await self._attempted.wait()

    async def close(self) -> None:
        """Stop receiving."""
        tasks = [*self._activations, *([self._running] if self._running is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._connector.close()

    @property
    def silence(self) -> float:
        """Seconds since the last message.

        Probes bound it: it exceeds twice the probe interval only while nothing is delivered.
        """
        received_at = self._received_at
        if self._connection is not None:
            received_at = max(received_at, self._connection.received_at)
        return asyncio.get_running_loop().time() - received_at

    @property
    def outage(self) -> str:
        """A description of the outage; empty while all groups receive messages."""
        if all(group.is_active for group in self.groups) and self.silence < SILENCE_LIMIT * self._probe_seconds:
            return ""
        return outage_of(self._purpose, self._connector.target)

    def restart(self, reason: str) -> None:
        """Reconnect, to the server that the connector then chooses."""
        if self._connection is not None:
            log.warn(
                "restarting a PUB/SUB connection", purpose=self._purpose, shard=self._connector.target, reason=reason
            )
            self._connection.close()

    def add_group(self, group: SubscriptionGroup) -> None:
        """Add a group, to be subscribed over this connection."""
        self.groups.append(group)
        if self._connection is not None:
            activation = asyncio.get_running_loop().create_task(self._activate_added(self._connection, group))
            self._activations.add(activation)
            activation.add_done_callback(self._activations.discard)

    def remove_group(self, group: SubscriptionGroup) -> None:
        """Remove a group, which another supervisor takes over."""
        self.groups.remove(group)
        if group.connection is not None:
            group.connection.detach(group)
        group.reset()

    # ------------------------------------------------------------------------------------------ inside

    async def _run(self) -> NoReturn:
        while True:
            try:
                await self._serve()
            except EngineUnavailable as error:
                self._on_failure(error)
            except Exception:
                log.exception("PUB/SUB connection failed", purpose=self._purpose, shard=self._connector.target)
            self._attempted.set()
            await asyncio.sleep(RETRY_SECONDS)

    def _on_failure(self, error: EngineUnavailable) -> None:
        """Log the error, unless it repeats the previous one."""
        if str(error) != self._failure:
            log.error("PUB/SUB connection lost", purpose=self._purpose, shard=self._connector.target, error=error)
        self._failure = str(error)

    async def _serve(self) -> NoReturn:
        """Connect, subscribe all groups, and probe until the connection is lost.

        Raises `EngineUnavailable`.
        """
        with self._counting("subscribe"):
            connection = await self._connector.open()
        try:
            on_slot_moved = None if self._on_slot_moved is None else self._release_moved
            connection.start_receiving(self._on_message, sharded=self._sharded, on_slot_moved=on_slot_moved)
            self._connection = connection
            await asyncio.gather(*(self._activate(connection, group) for group in self.groups))
            self._attempted.set()
            self._on_success()
            await self._watch(connection)
        finally:
            for group in self.groups:
                group.reset()
            self._received_at = max(self._received_at, connection.received_at)
            self._connection = None
            await connection.wait_closed()

    async def _activate(self, connection: PubSubConnection, group: SubscriptionGroup) -> None:
        """Subscribe the permanent names of a group and those it had before.

        Raises `EngineUnavailable`.
        """
        try:
            with self._counting("subscribe"):
                await connection.attach(group)
            with self._counting("subscribe_channel"):
                await connection.resubscribe(group)
        except EngineUnavailable as error:
            if group not in self.groups:
                return  # the group was removed meanwhile
            if self._on_slot_moved is None or not isinstance(error, CommandError):
                raise
            self._on_failure(error)
            self._release_moved(group)
        else:
            group.is_active = group.connection is connection

    async def _activate_added(self, connection: PubSubConnection, group: SubscriptionGroup) -> None:
        """Activate a group added later.

        When the connection is lost, the next one subscribes it like all others.
        """
        with suppress(EngineUnavailable):
            await self._activate(connection, group)
            if group.is_active:
                self._failure = ""
                self._on_restored()

    def _release_moved(self, group: SubscriptionGroup) -> None:
        if group in self.groups and self._on_slot_moved is not None:
            self.remove_group(group)
            self._on_slot_moved(group)

    def _on_success(self) -> None:
        if self._failure:
            self._failure = ""
            channels = sum(len(group.names) for group in self.groups)
            log.info(
                "PUB/SUB connection restored", purpose=self._purpose, shard=self._connector.target, channels=channels
            )
            self._on_restored()

    @contextmanager
    def _counting(self, error: str) -> Iterator[None]:
        try:
            yield
        except EngineUnavailable:
            self._count_error(error)
            raise

    async def _watch(self, connection: PubSubConnection) -> NoReturn:
        """Wait until the connection is lost or does not deliver a probe.

        Begins with a probe. Raises `EngineUnavailable`.
        """
        interval, time = self._probe_seconds, asyncio.get_running_loop().time
        while True:
            received_at = connection.received_at
            await self._wait(connection, received_at + interval)
            if connection.received_at > received_at:
                continue
            probed_at = time()
            accepted = await self._publish_probe()
            await self._wait(connection, probed_at + interval)
            if connection.received_at == received_at and accepted:
                await self._wait(connection, time() + self._pause())
            if connection.received_at > received_at:
                self._failed_restarts = 0
            elif accepted:
                self._failed_restarts += 1
                self._count_error("probe_timeout")
                self._connector.mark_suspect(connection.address)
                raise EngineUnavailable("a probe was published and has not come back")

    async def _publish_probe(self) -> bool:
        """Publish a probe to one group after the other. Returns whether Redis accepted it."""
        if not self.groups:
            return False
        self._probes += 1
        name = self.groups[self._probes % len(self.groups)].probe
        try:
            async with asyncio.timeout(self._probe_seconds):
                await self._connector.execute((self._publish, name, PROBE), name)
        except (EngineUnavailable, TimeoutError) as error:
            self._count_error("probe_publish")
            log.warn("cannot publish a probe", purpose=self._purpose, shard=self._connector.target, error=error)
            return False
        return True

    async def _wait(self, connection: PubSubConnection, until: float) -> None:
        """Wait until that event loop time. Raises `ConnectionLost`."""
        await asyncio.wait([connection.lost], timeout=max(0.0, until - asyncio.get_running_loop().time()))
        if connection.lost.done():
            self._count_error("connection")
            raise connection.lost.result()

    def _pause(self) -> float:
        """Seconds to wait before a restart, growing with each restart that did not help."""
        restarts = self._failed_restarts
        return min(2 ** (restarts - 1), MAX_PAUSE) * self._probe_seconds if restarts else 0.0


class Supervisor(Protocol):
    """Keeps subscription groups active, over one connection or several."""

    async def start(self) -> None:
        """See `ConnectionSupervisor.start`."""

    async def close(self) -> None:
        """See `ConnectionSupervisor.close`."""

    @property
    def silence(self) -> float:
        """See `ConnectionSupervisor.silence`."""

    @property
    def outage(self) -> str:
        """See `ConnectionSupervisor.outage`."""


def outage_of(purpose: str, target: Target) -> str:
    """Describes an outage of PUB/SUB."""
    return f"PUB/SUB ({purpose}) of Redis at {target}"


def outages_of(supervisors: Iterable[Supervisor]) -> str:
    """Describes the outages of several supervisors; empty while all are healthy."""
    return ", ".join(dict.fromkeys(outage for supervisor in supervisors if (outage := supervisor.outage)))
