"""What keeps a node hearing: a PUB/SUB connection that is watched, and made anew for ever (07 §8)."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from ..connections.errors import CommandRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from ..connections.address import Address, Target
    from ..connections.connection import Command
    from .connection import ListeningConnection
    from .group import Ear

log = get_logger(__name__)

RETRY_SECONDS: Final = 0.25
PROBE_SECONDS: Final = 30.0
DEAF_AFTER: Final = 2.5
"""Probe intervals of silence: one until the probe, one for it to come back."""
MOST_PAUSE: Final = 10
"""Intervals that a connection is left alone at most, when making it anew has not helped again and again."""
PROBE: Final = b"probe"


class Source(Protocol):
    """Where messages come from: a shard, a part of one, or a server that has several parts."""

    @property
    def target(self) -> Target:
        """As in `Shard`."""

    def execute(self, command: Command, key: bytes | str) -> Awaitable[Any]:
        """See `Shard.execute`."""

    async def open(self) -> ListeningConnection:
        """Open a connection to where messages are heard now. Raises `EngineUnavailable`."""

    def follow(self, leave: Callable[[str], None]) -> None:
        """Have `leave` called, with the reason, when the connection has to be opened elsewhere."""

    def distrust(self, address: Address) -> None:
        """A connection to this address was silent although something was published."""

    async def close(self) -> None:
        """Look for no better places any more."""


class Listener:
    """Keeps ears hearing over one connection. `take` gets name and payload of each message.

    `count_error` gets `subscribe`, `subscribe_channel`, `connection`, `probe_publish` or `probe_timeout`.

    After `probe_seconds` without any message it publishes one to itself, to the probe of an ear; when that is accepted
    and does not come back, the connection is attached to a server where nothing is published, and is made anew.

    `sharded`: by the commands of sharded PUB/SUB, where all names of an ear are in one slot. What happens when the slot
    moves, or is not there at all: `on_moved` gets the ear, which the listener has given up then; without it the
    connection is made anew.
    """

    def __init__(
        self,
        source: Source,
        purpose: str,
        ears: Iterable[Ear],
        take: Callable[[bytes, bytes], None],
        *,
        count_error: Callable[[str], None],
        on_restored: Callable[[], None] = lambda: None,
        on_moved: Callable[[Ear], None] | None = None,
        sharded: bool = False,
        probe_seconds: float = PROBE_SECONDS,
    ) -> None:
        """`on_restored` is called when everything is heard again after a loss."""
        self.ears = list(ears)
        self._source = source
        self._on_restored = on_restored
        self._on_moved = on_moved
        self._count_error = count_error
        self._sharded = sharded
        self._publish = "SPUBLISH" if sharded else "PUBLISH"
        self._purpose = purpose
        self._take = take
        self._probe_seconds = probe_seconds
        self._probes = 0
        self._connection: ListeningConnection | None = None
        self._failure = ""
        self._vain_restarts = 0
        self._heard_at = asyncio.get_running_loop().time()
        self._running: asyncio.Task[NoReturn] | None = None
        self._tried = asyncio.Event()
        self._joining: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin; returns after the first attempt, whatever came of it."""
        self.begin()
        await self.tried()

    def begin(self) -> None:
        """Begin, without waiting for anything."""
        self._source.follow(self.restart)
        self._running = asyncio.get_running_loop().create_task(self._run())

    async def tried(self) -> None:
        """Wait for the end of the first attempt."""
        await self._tried.wait()

    async def close(self) -> None:
        """Hear no more."""
        tasks = [*self._joining, *([self._running] if self._running is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._source.close()

    @property
    def silence(self) -> float:
        """Seconds since this node has heard anything here. Where there are no messages there are probes, so
        that it grows beyond twice the probe interval only while the node is deaf."""
        heard_at = self._heard_at
        if self._connection is not None:
            heard_at = max(heard_at, self._connection.heard_at)
        return asyncio.get_running_loop().time() - heard_at

    @property
    def outage(self) -> str:
        """What is not heard now, empty while all is well."""
        if all(ear.is_heard for ear in self.ears) and self.silence < DEAF_AFTER * self._probe_seconds:
            return ""
        return outage_of(self._purpose, self._source.target)

    def restart(self, why: str) -> None:
        """Connect anew, to where the source says then."""
        if self._connection is not None:
            log.warn("restarting a PUB/SUB connection", purpose=self._purpose, shard=self._source.target, reason=why)
            self._connection.close()

    def take_over(self, ear: Ear) -> None:
        """Hear this one, too."""
        self.ears.append(ear)
        if self._connection is not None:
            joining = asyncio.get_running_loop().create_task(self._join(self._connection, ear))
            self._joining.add(joining)
            joining.add_done_callback(self._joining.discard)

    def give_up(self, ear: Ear) -> None:
        """Leave this one to others."""
        self.ears.remove(ear)
        if ear.connection is not None:
            ear.connection.detach(ear)
        ear.lose()

    # ------------------------------------------------------------------------------------------ inside

    async def _run(self) -> NoReturn:
        while True:
            try:
                await self._listen()
            except EngineUnavailable as error:
                self._note_failure(error)
            except Exception:
                log.exception("PUB/SUB connection failed", purpose=self._purpose, shard=self._source.target)
            self._tried.set()
            await asyncio.sleep(RETRY_SECONDS)

    def _note_failure(self, error: EngineUnavailable) -> None:
        """Log it, unless it is what happened a moment ago, too."""
        if str(error) != self._failure:
            log.error("PUB/SUB connection lost", purpose=self._purpose, shard=self._source.target, error=error)
        self._failure = str(error)

    async def _listen(self) -> NoReturn:
        """Connect, subscribe everything, and watch. Raises `EngineUnavailable` when that ends."""
        with self._counting("subscribe"):
            connection = await self._source.open()
        try:
            on_moved = None if self._on_moved is None else self._lose_moved
            connection.listen(self._take, sharded=self._sharded, on_moved=on_moved)
            self._connection = connection
            await asyncio.gather(*(self._hear(connection, ear) for ear in self.ears))
            self._tried.set()
            self._note_success()
            await self._watch(connection)
        finally:
            for ear in self.ears:
                ear.lose()
            self._heard_at = max(self._heard_at, connection.heard_at)
            self._connection = None
            await connection.wait_closed()

    async def _hear(self, connection: ListeningConnection, ear: Ear) -> None:
        """Subscribe what is an ear's own, and what else it heard before. Raises `EngineUnavailable`."""
        try:
            with self._counting("subscribe"):
                await connection.attach(ear)
            with self._counting("subscribe_channel"):
                await connection.subscribe_again(ear)
        except EngineUnavailable as error:
            if ear not in self.ears:
                return  # it has been given up meanwhile
            if self._on_moved is None or not isinstance(error, CommandRefused):
                raise
            self._note_failure(error)
            self._lose_moved(ear)
        else:
            ear.is_heard = ear.connection is connection

    async def _join(self, connection: ListeningConnection, ear: Ear) -> None:
        """Hear an ear that has come later. When the connection is lost it is heard over the next one, like all."""
        with suppress(EngineUnavailable):
            await self._hear(connection, ear)
            if ear.is_heard:
                self._failure = ""
                self._on_restored()

    def _lose_moved(self, ear: Ear) -> None:
        if ear in self.ears and self._on_moved is not None:
            self.give_up(ear)
            self._on_moved(ear)

    def _note_success(self) -> None:
        if self._failure:
            self._failure = ""
            channels = sum(len(ear.names) for ear in self.ears)
            log.info("PUB/SUB connection restored", purpose=self._purpose, shard=self._source.target, channels=channels)
            self._on_restored()

    @contextmanager
    def _counting(self, error: str) -> Iterator[None]:
        try:
            yield
        except EngineUnavailable:
            self._count_error(error)
            raise

    async def _watch(self, connection: ListeningConnection) -> NoReturn:
        """Until the connection is lost, or hears nothing although something was published. Begins with a probe."""
        interval, time = self._probe_seconds, asyncio.get_running_loop().time
        while True:
            heard_at = connection.heard_at
            await self._wait(connection, heard_at + interval)
            if connection.heard_at > heard_at:
                continue
            probed_at = time()
            accepted = await self._publish_probe()
            await self._wait(connection, probed_at + interval)
            if connection.heard_at == heard_at and accepted:
                await self._wait(connection, time() + self._pause())
            if connection.heard_at > heard_at:
                self._vain_restarts = 0
            elif accepted:
                self._vain_restarts += 1
                self._count_error("probe_timeout")
                self._source.distrust(connection.address)
                raise EngineUnavailable("a probe was published and has not come back")

    async def _publish_probe(self) -> bool:
        """Whether Redis accepted it. Ears take turns."""
        if not self.ears:
            return False
        self._probes += 1
        name = self.ears[self._probes % len(self.ears)].probe
        try:
            async with asyncio.timeout(self._probe_seconds):
                await self._source.execute((self._publish, name, PROBE), name)
        except (EngineUnavailable, TimeoutError) as error:
            self._count_error("probe_publish")
            log.warn("cannot publish a probe", purpose=self._purpose, shard=self._source.target, error=error)
            return False
        return True

    async def _wait(self, connection: ListeningConnection, until: float) -> None:
        """Raises `ConnectionLost`."""
        await asyncio.wait([connection.lost], timeout=max(0.0, until - asyncio.get_running_loop().time()))
        if connection.lost.done():
            self._count_error("connection")
            raise connection.lost.result()

    def _pause(self) -> float:
        """Seconds to leave the connection alone: restarts that change nothing become rarer."""
        restarts = self._vain_restarts
        return min(2 ** (restarts - 1), MOST_PAUSE) * self._probe_seconds if restarts else 0.0


class Hearer(Protocol):
    """What keeps ears hearing: a listener, or several that share them out."""

    async def start(self) -> None:
        """See `Listener.start`."""

    async def close(self) -> None:
        """See `Listener.close`."""

    @property
    def silence(self) -> float:
        """See `Listener.silence`."""

    @property
    def outage(self) -> str:
        """See `Listener.outage`."""


def outage_of(purpose: str, target: Target) -> str:
    """How it is told that something is not heard."""
    return f"PUB/SUB ({purpose}) of Redis at {target}"


def outages_of(hearers: Iterable[Hearer]) -> str:
    """What of these is not heard now, empty while all is well."""
    return ", ".join(dict.fromkeys(outage for hearer in hearers if (outage := hearer.outage)))
