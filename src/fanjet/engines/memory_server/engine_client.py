"""A worker's client of the engine's process.

It keeps the connection, reconnects, and restores presence entries.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from .engine_connection import ConnectionLost, EngineConnection
from .handshake import receive_descriptor
from .journal import Journal
from .journal_client import JournalClient
from .messages import VERSION, AddPresence, Hello, Joined, Published, ReaderSlot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from fanjet.engines.interfaces import BrokerEvents
    from fanjet.engines.interfaces import Published as BrokerPublished
    from fanjet.protocol.publication import ClientInfo

    from .messages import Call, Control, Event, Left, Position, Publish, PublishJoin, PublishLeave

log = get_logger(__name__)

RETRY_SECONDS: Final = 0.1
"""Pause after a failed attempt, doubled with each further one."""
MAX_RETRY_SECONDS: Final = 1.0
CONNECT_SECONDS: Final = 5.0
"""Timeout of the first reply: the process may be starting."""
MAX_UNANSWERED: Final = 256
"""Presence entries that are sent without waiting for a reply."""


class EngineClient:
    """A worker's client of the engine's process.

    Shared by broker, presence manager and controller: opened with the first of them, closed with the last.

    The engine removes the presence entries of a worker that disconnects. The client keeps them, and sends them first
    over a new connection. Calls during a connection attempt wait for it; between two attempts they fail at once. No
    call is repeated.
    """

    def __init__(self, path: str, node: str) -> None:
        """`path`: of the engine's Unix socket. `node`: the id of this worker's node."""
        self._channels: set[str] = set()
        """The subscribed channels; events of others are ignored."""
        self.presence_entries: dict[str, dict[str, ClientInfo]] = {}
        """Presence entries of this worker, by channel and client."""
        self.events: BrokerEvents | None = None
        self.on_control: Callable[[bytes], None] | None = None
        self.last_will = b""
        """The control message that the other nodes get when this one disconnects, if any."""
        self.journal: JournalClient | None = None
        """For events that do not need the engine; None while not connected."""
        self.pending_publishes: Mapping[str, int] = {}
        """Channels in which such an event would overtake a call to the engine."""
        self.offset_slots: Mapping[str, Position] = {}
        """Where this worker assigns the next offsets itself, by channel."""
        self._path = path
        self._node = node
        self._users = 0
        self._running: asyncio.Task[NoReturn] | None = None
        self._connection: EngineConnection | None = None
        self._journal_client: JournalClient | None = None
        self._attempt: asyncio.Future[EngineConnection] | None = None
        self._last_error = ""
        self._silent_since = time.monotonic()
        """Used while not connected."""

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
        """Connect, with the first of its users. Raises `EngineUnavailable`."""
        self._users += 1
        if self._users == 1:
            self._begin_attempt()
            self._running = asyncio.get_running_loop().create_task(self._run())
        if self._attempt is not None:
            await asyncio.shield(self._attempt)

    async def close(self) -> None:
        """Disconnect, with the last of its users."""
        self._users -= 1
        if not self._users and self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def call(self, message: Call) -> Awaitable[Any]:
        """Send a call; the result is its reply.

        Raises `EngineUnavailable`, here or when awaited.
        """
        connection = self._connection
        return connection.call(message) if connection is not None else self._call_later(message)

    def publish(self, message: Publish | PublishJoin | PublishLeave) -> Awaitable[BrokerPublished]:
        """Send a call that causes an event. Raises `EngineUnavailable` when awaited."""
        connection = self._connection
        return connection.publish(message) if connection is not None else self._publish_later(message)

    def journal_for(self, channel: str) -> JournalClient | None:
        """The journal, for an event that does not need the engine.

        None if the event would overtake a call to the engine.
        """
        return None if channel in self.pending_publishes else self.journal

    def subscribe(self, channel: str) -> None:
        """Report the events of a channel from now on."""
        if channel not in self._channels:
            if self._journal_client is not None:
                self._journal_client.subscribe([channel])
            self._channels.add(channel)

    def unsubscribe(self, channel: str) -> None:
        """Report no more events of a channel."""
        if channel in self._channels:
            self._channels.remove(channel)
            if self._journal_client is not None:
                self._journal_client.unsubscribe(channel)

    async def wait_connected(self) -> None:
        """Wait until connected. Raises `EngineUnavailable`."""
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
            raise EngineUnavailable(self._last_error or "the engine is closed")
        return await asyncio.shield(self._attempt)

    async def _run(self) -> NoReturn:
        pause = RETRY_SECONDS
        try:
            while True:
                try:
                    await self._serve(await self._connect())
                except EngineUnavailable as error:
                    self._on_connect_failed(error)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, MAX_RETRY_SECONDS)
                else:
                    pause = RETRY_SECONDS
        finally:
            self._end_attempt(EngineUnavailable("the engine is closed"))

    async def _connect(self) -> EngineConnection:
        self._begin_attempt()
        connection = EngineConnection(self)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._handshake(connection)
        except (OSError, TimeoutError, EngineUnavailable) as error:
            await self._disconnect(connection)
            reason = str(error) or "timeout"
            raise EngineUnavailable(f"error connecting to the engine at {self._path}: {reason}") from error
        except BaseException:
            await self._disconnect(connection)
            raise
        return connection

    async def _handshake(self, connection: EngineConnection) -> None:
        """Connect, introduce this worker, and receive events from now on."""
        journal = Journal(await self._open_socket(connection))
        try:
            reader_slot = cast("ReaderSlot", await connection.call(Hello(VERSION, self._node, self.last_will)))
            journal_client = JournalClient(
                journal,
                reader_slot,
                on_events=self._dispatch,
                on_gap=connection.close,
                on_publication_pending=self._on_publication_pending,
            )
        except BaseException:
            journal.close()
            raise
        try:
            await journal_client.start()
        except BaseException:
            await journal_client.close()
            raise
        self._journal_client = journal_client
        journal_client.subscribe(self._channels)

    async def _open_socket(self, connection: EngineConnection) -> int:
        """Connect the socket and return the descriptor of the journal."""
        loop = asyncio.get_running_loop()
        raw = socket.socket(socket.AF_UNIX)
        try:
            raw.setblocking(False)
            await loop.sock_connect(raw, self._path)
            descriptor = await receive_descriptor(raw)
            try:
                await loop.create_unix_connection(lambda: connection, sock=raw)
            except BaseException:
                connection.connection_lost(None)  # uvloop does not call it for a socket that it closes here
                os.close(descriptor)
                raise
        except BaseException:
            raw.close()
            raise
        return descriptor

    async def _disconnect(self, connection: EngineConnection) -> None:
        journal_client, self._journal_client = self._journal_client, None
        if journal_client is not None:
            await journal_client.close()
        await connection.wait_closed()

    async def _serve(self, connection: EngineConnection) -> None:
        """Use a connection until it is lost.

        Raises `EngineUnavailable` if it is lost before it could be used.
        """
        try:
            await self._restore_presence(connection)
            self._connection, self.journal = connection, self._journal_client
            self.pending_publishes, self.offset_slots = connection.pending_publishes, connection.offset_slots
            self._end_attempt(connection)
            self._on_reconnected()
            error = await asyncio.shield(connection.lost)
            self._silent_since = time.monotonic() - connection.silence
            log.error("connection to the engine lost", error=error)
            self._last_error = str(error)
        finally:
            self._connection = self.journal = None
            await self._disconnect(connection)

    async def _restore_presence(self, connection: EngineConnection) -> None:
        """Send all presence entries. Changes made meanwhile are sent afterwards."""
        sent = 0
        for channel, entries in list(self.presence_entries.items()):
            for client, info in list(entries.items()):
                if entries.get(client) is not info:
                    continue
                try:
                    reply = connection.send(AddPresence(channel, client, info))
                except ConnectionLost:
                    raise
                except EngineUnavailable:  # too long: the call that adds it, which is pending, fails
                    continue
                sent += 1
                if not sent % MAX_UNANSWERED or connection.is_congested:
                    await asyncio.wait([reply])
        if connection.lost.done():
            raise connection.lost.result()

    def _begin_attempt(self) -> asyncio.Future[EngineConnection]:
        if self._attempt is None:
            self._attempt = asyncio.get_running_loop().create_future()
        return self._attempt

    def _end_attempt(self, outcome: EngineConnection | EngineUnavailable) -> None:
        """Resume the callers that wait for the attempt."""
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return
        if isinstance(outcome, EngineUnavailable):
            attempt.set_exception(outcome)
            attempt.exception()  # retrieved, even if nobody waits
        else:
            attempt.set_result(outcome)

    def _on_connect_failed(self, error: EngineUnavailable) -> None:
        if str(error) != self._last_error:
            log.error("cannot reach the engine", error=error)
        self._last_error = str(error)
        self._end_attempt(error)

    def _on_reconnected(self) -> None:
        """Report that events may have been missed.

        Also that a restarted engine has lost its streams.
        """
        if not self._last_error:
            return
        self._last_error = ""
        log.info("connected to the engine again", channels=len(self._channels))
        if self.events is not None:
            self.events.on_restored()

    def _on_publication_pending(self) -> None:
        if self.events is not None:
            self.events.on_publication_pending()

    def _dispatch(self, received: Sequence[Event]) -> None:
        """Pass events of subscribed channels to the node."""
        events, channels = self.events, self._channels
        if events is None:
            return
        for event in received:
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
        """See `ConnectionHandler`."""
        return self._journal_client is None or self._journal_client.flush()

    def receive(self) -> bool:
        """See `ConnectionHandler`."""
        return self._journal_client is None or self._journal_client.receive()

    def on_control_message(self, control: Control) -> None:
        """See `ConnectionHandler`."""
        if self.on_control is not None:
            try:
                self.on_control(control.message)
            except Exception:
                log.exception("error handling a control message")
