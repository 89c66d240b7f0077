"""What keeps a node hearing: a PUB/SUB connection that is watched, and made anew for ever (07 §8)."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from .connection import connect
from .listening import MOST_NAMES, ListeningConnection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from .address import Address, Target
    from .connection import Command

log = get_logger(__name__)

RETRY_SECONDS: Final = 0.25
PROBE_SECONDS: Final = 30.0
DEAF_AFTER: Final = 2.5
"""Probe intervals of silence: one until the probe, one for it to come back."""
MOST_PAUSE: Final = 10
"""Intervals that a connection is left alone at most, when making it anew has not helped again and again."""
COMMANDS_AT_ONCE: Final = 16
PROBE: Final = b"probe"


class Source(Protocol):
    """Where messages come from: a shard, or a part of one."""

    @property
    def target(self) -> Target:
        """As in `Shard`."""

    def execute(self, command: Command, key: bytes | str) -> Awaitable[Any]:
        """See `Shard.execute`."""

    async def listening_address(self) -> Address:
        """See `Shard.listening_address`."""

    def follow(self, leave: Callable[[str], None]) -> None:
        """See `Shard.follow`."""


class Listener:
    """Hears `own` names always and others while they are subscribed. `take` gets name and payload of each message.

    `count_error` gets `subscribe`, `subscribe_channel`, `connection`, `probe_publish` or `probe_timeout`.

    After `probe_seconds` without any message it publishes one to itself, on `probe_name`; when that is accepted and
    does not come back, the connection is attached to a server where nothing is published, and is made anew.
    `sharded`: by the commands of sharded PUB/SUB, where all names are in one slot.
    """

    def __init__(
        self,
        shard: Source,
        purpose: str,
        own: list[str],
        probe_name: str,
        take: Callable[[bytes, bytes], None],
        *,
        count_error: Callable[[str], None],
        on_restored: Callable[[], None] = lambda: None,
        sharded: bool = False,
        probe_seconds: float = PROBE_SECONDS,
    ) -> None:
        """`on_restored` is called when everything is heard again after a loss."""
        self._shard = shard
        self._on_restored = on_restored
        self._count_error = count_error
        self._sharded = sharded
        self._publish = "SPUBLISH" if sharded else "PUBLISH"
        self._purpose = purpose
        self._own = [name.encode() for name in (*own, probe_name)]
        self._probe_name = probe_name
        self._take = take
        self._probe_seconds = probe_seconds
        self._names: dict[bytes, None] = {}
        self._connection: ListeningConnection | None = None
        self._usable = False
        self._failure = ""
        self._vain_restarts = 0
        self._heard_at = 0.0
        self._running: asyncio.Task[NoReturn] | None = None
        self._tried = asyncio.Event()

    async def start(self) -> None:
        """Begin; returns after the first attempt, whatever came of it."""
        self._heard_at = asyncio.get_running_loop().time()
        self._shard.follow(self.restart)
        self._running = asyncio.get_running_loop().create_task(self._run())
        await self._tried.wait()

    async def close(self) -> None:
        """Hear no more."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    @property
    def silence(self) -> float:
        """Seconds since this node has heard anything here. Where there are no messages there are probes, so
        that it grows beyond twice the probe interval only while the node is deaf."""
        heard_at = self._heard_at
        if self._connection is not None:
            heard_at = max(heard_at, self._connection.heard_at)
        return asyncio.get_running_loop().time() - heard_at

    @property
    def lost(self) -> str:
        """What is not heard now, empty while all is well."""
        if self._usable and self.silence < DEAF_AFTER * self._probe_seconds:
            return ""
        return f"PUB/SUB ({self._purpose}) of Redis at {self._shard.target}"

    def subscribe(self, name: bytes) -> Awaitable[None]:
        """Done when Redis has confirmed it. Raises `EngineUnavailable`, at once while there is no connection."""
        connection = self._connection
        if connection is None or not self._usable:
            raise EngineUnavailable("pub/sub connection temporary unavailable")
        return connection.subscribe(name)

    def unsubscribe(self, name: bytes) -> Awaitable[None]:
        """Done when Redis has confirmed it. While there is no connection nothing is subscribed anyway. Raises
        `EngineUnavailable`, here or when awaited."""
        self._names.pop(name, None)
        return _nothing() if self._connection is None else self._connection.unsubscribe(name)

    def restart(self, why: str) -> None:
        """Connect anew, to where the shard says then."""
        if self._connection is not None:
            log.warn("restarting a PUB/SUB connection", purpose=self._purpose, shard=self._shard.target, reason=why)
            self._connection.close()

    # ------------------------------------------------------------------------------------------ inside

    async def _run(self) -> NoReturn:
        while True:
            try:
                await self._listen()
            except EngineUnavailable as error:
                self._note_failure(error)
            except Exception:
                log.exception("PUB/SUB connection failed", purpose=self._purpose, shard=self._shard.target)
            self._tried.set()
            await asyncio.sleep(RETRY_SECONDS)

    def _note_failure(self, error: EngineUnavailable) -> None:
        """Log it, unless it is what happened a moment ago, too."""
        if str(error) != self._failure:
            log.error("PUB/SUB connection lost", purpose=self._purpose, shard=self._shard.target, error=error)
        self._failure = str(error)

    async def _listen(self) -> NoReturn:
        """Connect, subscribe everything, and watch. Raises `EngineUnavailable` when that ends."""
        login = self._shard.target.login
        with self._counting("subscribe"):
            connection = await connect(await self._shard.listening_address(), login, ListeningConnection)
        try:
            connection.listen(self._take, own=self._own, sharded=self._sharded)
            self._connection = connection
            with self._counting("subscribe"):
                await asyncio.gather(*map(connection.subscribe, self._own))
            connection.subscribed = self._names
            with self._counting("subscribe_channel"):
                await self._subscribe_again(connection)
            self._usable = True
            self._tried.set()
            if self._failure:
                self._failure = ""
                names = len(self._names)
                log.info("PUB/SUB connection restored", purpose=self._purpose, shard=self._shard.target, channels=names)
                self._on_restored()
            await self._watch(connection)
        finally:
            self._usable = False
            self._heard_at = max(self._heard_at, connection.heard_at)
            self._connection = None
            await connection.wait_closed()

    @contextmanager
    def _counting(self, error: str) -> Iterator[None]:
        try:
            yield
        except EngineUnavailable:
            self._count_error(error)
            raise

    async def _subscribe_again(self, connection: ListeningConnection) -> None:
        """All names, some thousands at a time. Those that are given up meanwhile are left out."""
        names = list(self._names)
        window = MOST_NAMES * COMMANDS_AT_ONCE
        for start in range(0, len(names), window):
            wanted = [name for name in names[start : start + window] if name in self._names]
            await asyncio.gather(*map(connection.subscribe, wanted))

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
                raise EngineUnavailable("a probe was published and has not come back")

    async def _publish_probe(self) -> bool:
        """Whether Redis accepted it."""
        try:
            async with asyncio.timeout(self._probe_seconds):
                await self._shard.execute((self._publish, self._probe_name, PROBE), self._probe_name)
        except (EngineUnavailable, TimeoutError) as error:
            self._count_error("probe_publish")
            log.warn("cannot publish a probe", purpose=self._purpose, shard=self._shard.target, error=error)
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


async def _nothing() -> None:
    """What there is to wait for where nothing has to be done."""


def lost_among(listeners: list[Listener]) -> str:
    """What of these is not heard now, empty while all is well."""
    return ", ".join(dict.fromkeys(lost for listener in listeners if (lost := listener.lost)))
