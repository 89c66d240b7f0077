"""A worker's way to the engine's process: always being connected, and what the engine has to know of this worker."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from .engine_connection import ConnectionLost, EngineConnection
from .handshake import take_over
from .journal import Journal
from .journal_client import Tidings
from .messages import VERSION, AddPresence, Hello, Joined, Published, Seat

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from fanjet.engines.interfaces import BrokerEvents
    from fanjet.engines.interfaces import Published as BrokerPublished
    from fanjet.protocol.publication import ClientInfo

    from .messages import Call, Control, Event, Left, Position, Publish, PublishJoin, PublishLeave

log = get_logger(__name__)

RETRY_SECONDS: Final = 0.1
"""Pause after an attempt that failed, doubled with each further one."""
MOST_RETRY_SECONDS: Final = 1.0
CONNECT_SECONDS: Final = 5.0
"""For the first answer: the process may be starting."""
MOST_UNANSWERED: Final = 256
"""Entries of presence that are told without waiting for the engine."""


class EngineLink:
    """Shared by broker, presence manager and controller: opened with the first of them, closed with the last.

    The engine forgets a worker whose connection ends. So the link keeps the entries of presence that it has told it,
    and tells them again, before anything else goes over a new connection. Calls that come while nothing is connected
    wait for the attempt under way, and fail at once between two attempts; none is repeated.
    """

    def __init__(self, path: str, node: str) -> None:
        """`path` of the Unix socket, `node` the id of this worker's."""
        self._channels: set[str] = set()
        """What this worker is subscribed to. What happens in others is nothing to it."""
        self.present: dict[str, dict[str, ClientInfo]] = {}
        """Entries of this worker, by channel and client."""
        self.events: BrokerEvents | None = None
        self.on_control: Callable[[bytes], None] | None = None
        self.farewell = b""
        """What other nodes are told when this one is gone, if anything."""
        self.told_by: Tidings | None = None
        """For what the engine need not know, as long as it is connected."""
        self.publishing: Mapping[str, int] = {}
        """Channels in which that would overtake a call to the engine."""
        self.places: Mapping[str, Position] = {}
        """Where this worker gives the next offsets itself, by channel."""
        self._path = path
        self._node = node
        self._users = 0
        self._running: asyncio.Task[NoReturn] | None = None
        self._connection: EngineConnection | None = None
        self._tidings: Tidings | None = None
        self._attempt: asyncio.Future[EngineConnection] | None = None
        self._trouble = ""
        self._silent_since = time.monotonic()
        """While nothing is connected."""

    @property
    def outage(self) -> str:
        """See `RemoteEngine`."""
        connection = self._connection
        return "" if connection is not None and not connection.lost.done() else "the engine's process"

    @property
    def silence(self) -> float:
        """See `ProbedEngine`."""
        connection = self._connection
        return time.monotonic() - self._silent_since if connection is None else connection.silence

    async def start(self) -> None:
        """Connect, for the first of those who share this. Raises `EngineUnavailable`."""
        self._users += 1
        if self._users == 1:
            self._begin_attempt()
            self._running = asyncio.get_running_loop().create_task(self._run())
        if self._attempt is not None:
            await asyncio.shield(self._attempt)

    async def close(self) -> None:
        """Disconnect, with the last of those who share this."""
        self._users -= 1
        if not self._users and self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def call(self, message: Call) -> Awaitable[Any]:
        """The answer to come. Raises `EngineUnavailable`, here or when awaited."""
        connection = self._connection
        return connection.call(message) if connection is not None else self._call_later(message)

    def publish(self, message: Publish | PublishJoin | PublishLeave) -> Awaitable[BrokerPublished]:
        """The answer to a call that makes an event. Raises `EngineUnavailable` when awaited."""
        connection = self._connection
        return connection.publish(message) if connection is not None else self._publish_later(message)

    def tidings_for(self, channel: str) -> Tidings | None:
        """For telling what the engine need not know; None if that would overtake a call to the engine."""
        return None if channel in self.publishing else self.told_by

    def subscribe(self, channel: str) -> None:
        """Have what happens in a channel from now on reported."""
        if channel not in self._channels:
            if self._tidings is not None:
                self._tidings.wait_for([channel])
            self._channels.add(channel)

    def unsubscribe(self, channel: str) -> None:
        """Have nothing of it reported any more."""
        if channel in self._channels:
            self._channels.remove(channel)
            if self._tidings is not None:
                self._tidings.wait_no_more(channel)

    async def connected(self) -> None:
        """Wait until there is a connection. Raises `EngineUnavailable`."""
        if self._connection is None:
            await self._next_connection()

    # ------------------------------------------------------------------------------------------ inside

    async def _call_later(self, message: Call) -> Any:
        connection = await self._next_connection()
        return await connection.call(message)

    async def _publish_later(self, message: Publish | PublishJoin | PublishLeave) -> BrokerPublished:
        connection = await self._next_connection()
        return await connection.publish(message)

    async def _next_connection(self) -> EngineConnection:
        if self._attempt is None:
            raise EngineUnavailable(self._trouble or "the engine is closed")
        return await asyncio.shield(self._attempt)

    async def _run(self) -> NoReturn:
        pause = RETRY_SECONDS
        try:
            while True:
                try:
                    await self._work_with(await self._connect())
                except EngineUnavailable as error:
                    self._note_failure(error)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, MOST_RETRY_SECONDS)
                else:
                    pause = RETRY_SECONDS
        finally:
            self._end_attempt(EngineUnavailable("the engine is closed"))

    async def _connect(self) -> EngineConnection:
        self._begin_attempt()
        connection = EngineConnection(self)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._take_seat(connection)
        except (OSError, TimeoutError, EngineUnavailable) as error:
            await self._leave(connection)
            reason = str(error) or "timeout"
            raise EngineUnavailable(f"error connecting to the engine at {self._path}: {reason}") from error
        except BaseException:
            await self._leave(connection)
            raise
        return connection

    async def _take_seat(self, connection: EngineConnection) -> None:
        """Connect, and go on hearing what happens."""
        journal = Journal(await self._open(connection))
        try:
            seat = cast("Seat", await connection.call(Hello(VERSION, self._node, self.farewell)))
            tidings = Tidings(
                journal, seat, take=self._report, lose=connection.close, on_publication_pending=self._announce
            )
        except BaseException:
            journal.close()
            raise
        try:
            await tidings.begin()
        except BaseException:
            await tidings.close()
            raise
        self._tidings = tidings
        tidings.wait_for(self._channels)

    async def _open(self, connection: EngineConnection) -> int:
        """Connect; the descriptor of the journal."""
        loop = asyncio.get_running_loop()
        raw = socket.socket(socket.AF_UNIX)
        try:
            raw.setblocking(False)
            await loop.sock_connect(raw, self._path)
            descriptor = await take_over(raw)
            try:
                await loop.create_unix_connection(lambda: connection, sock=raw)
            except BaseException:
                connection.connection_lost(None)  # uvloop closes what it gives up without telling that
                os.close(descriptor)
                raise
        except BaseException:
            raw.close()
            raise
        return descriptor

    async def _leave(self, connection: EngineConnection) -> None:
        tidings, self._tidings = self._tidings, None
        if tidings is not None:
            await tidings.close()
        await connection.wait_closed()

    async def _work_with(self, connection: EngineConnection) -> None:
        """Until the connection is lost. Raises `EngineUnavailable` if it is before anything else could be done."""
        try:
            await self._introduce(connection)
            self._connection, self.told_by = connection, self._tidings
            self.publishing, self.places = connection.publishing, connection.places
            self._end_attempt(connection)
            self._note_return()
            error = await asyncio.shield(connection.lost)
            self._silent_since = time.monotonic() - connection.silence
            log.error("connection to the engine lost", error=error)
            self._trouble = str(error)
        finally:
            self._connection = self.told_by = None
            await self._leave(connection)

    async def _introduce(self, connection: EngineConnection) -> None:
        """Tell which entries of presence there are. What changes meanwhile is called for afterwards."""
        told = 0
        for channel, entries in list(self.present.items()):
            for client, info in list(entries.items()):
                if entries.get(client) is not info:
                    continue
                try:
                    answer = connection.send(AddPresence(channel, client, info))
                except ConnectionLost:
                    raise
                except EngineUnavailable:  # too long: it is refused to who adds it, which is still under way
                    continue
                told += 1
                if not told % MOST_UNANSWERED or connection.is_ahead:
                    await asyncio.wait([answer])
        if connection.lost.done():
            raise connection.lost.result()

    def _begin_attempt(self) -> asyncio.Future[EngineConnection]:
        if self._attempt is None:
            self._attempt = asyncio.get_running_loop().create_future()
        return self._attempt

    def _end_attempt(self, outcome: EngineConnection | EngineUnavailable) -> None:
        """Let those go on who wait for it."""
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return
        if isinstance(outcome, EngineUnavailable):
            attempt.set_exception(outcome)
            attempt.exception()  # seen, even if nobody waits
        else:
            attempt.set_result(outcome)

    def _note_failure(self, error: EngineUnavailable) -> None:
        if str(error) != self._trouble:
            log.error("cannot reach the engine", error=error)
        self._trouble = str(error)
        self._end_attempt(error)

    def _note_return(self) -> None:
        """What was published meanwhile has not come; an engine that was started anew knows nothing of older streams."""
        if not self._trouble:
            return
        self._trouble = ""
        log.info("connected to the engine again", channels=len(self._channels))
        if self.events is not None:
            self.events.on_restored()

    def _announce(self) -> None:
        if self.events is not None:
            self.events.on_publication_pending()

    def _report(self, happened: Sequence[Event]) -> None:
        """Let the node know, as far as it is subscribed."""
        events, channels = self.events, self._channels
        if events is None:
            return
        for event in happened:
            channel = event.channel
            if channel not in channels:
                continue
            try:
                if type(event) is Published:
                    events.on_publication(
                        channel, event.publication, event.epoch, use_delta=event.use_delta, previous=event.previous
                    )
                elif type(event) is Joined:
                    events.on_join(channel, event.info)
                else:
                    events.on_leave(channel, cast("Left", event).info)
            except Exception:
                log.exception("error handling an event")

    # ------------------------------------------------------------------------------------------ Listener

    def flush(self) -> bool:
        """See `Listener`."""
        return self._tidings is None or self._tidings.flush()

    def hear(self) -> bool:
        """See `Listener`."""
        return self._tidings is None or self._tidings.hear()

    def take(self, control: Control) -> None:
        """See `Listener`."""
        if self.on_control is not None:
            try:
                self.on_control(control.message)
            except Exception:
                log.exception("error handling a control message")
