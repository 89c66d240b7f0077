"""A worker's way to the engine's process: always being connected, and what the engine has to know of this worker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NoReturn

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger

from .connection import EngineConnection, connect
from .messages import (
    VERSION,
    AddPresence,
    Broadcast,
    Control,
    Hello,
    Joined,
    Left,
    Publish,
    Published,
    Subscribe,
)
from .publications import publication_at

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fanjet.engines.interfaces import BrokerEvents
    from fanjet.engines.interfaces import Published as BrokerPublished
    from fanjet.protocol.publication import ClientInfo

    from .connection import Own
    from .messages import Call, Event

log = get_logger(__name__)

RETRY_SECONDS: Final = 0.1
"""Pause after an attempt that failed, doubled with each further one."""
MOST_RETRY_SECONDS: Final = 1.0
NAMES_AT_ONCE: Final = 512
"""Channels in one message when all are subscribed anew."""


class EngineLink:
    """Shared by broker, presence manager and controller: opened with the first of them, closed with the last.

    The engine forgets a worker whose connection ends. So the link keeps what it has told it, channels and entries of
    presence, and tells it again, before anything else goes over a new connection. Calls that come while nothing is
    connected wait for the attempt under way, and fail at once between two attempts; none is repeated.
    """

    def __init__(self, path: str, node: str) -> None:
        """`path` of the Unix socket, `node` the id of this worker's."""
        self.channels: dict[str, None] = {}
        """What this worker is subscribed to."""
        self.present: dict[str, dict[str, ClientInfo]] = {}
        """Entries of this worker, by channel and client."""
        self.events: BrokerEvents | None = None
        self.on_control: Callable[[bytes], None] | None = None
        self.farewell = b""
        """What other nodes are told when this one is gone, if anything."""
        self._path = path
        self._node = node
        self._users = 0
        self._running: asyncio.Task[NoReturn] | None = None
        self._connection: EngineConnection | None = None
        self._attempt: asyncio.Future[EngineConnection] | None = None
        self._trouble = ""

    @property
    def lost(self) -> str:
        """See `Remote`."""
        connection = self._connection
        return "" if connection is not None and not connection.lost.done() else "the engine's process"

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

    def publish(self, message: Own) -> Awaitable[BrokerPublished]:
        """The answer to a call that makes an event, which is reported to this worker, too, if it has subscribed. Raises
        `EngineUnavailable` when awaited."""
        connection = self._connection
        if connection is None:
            return self._publish_later(message)
        return connection.publish(message, is_news=self._is_news(message))

    # ------------------------------------------------------------------------------------------ inside

    async def _call_later(self, message: Call) -> Any:
        connection = await self._next_connection()
        return await connection.call(message)

    async def _publish_later(self, message: Own) -> BrokerPublished:
        connection = await self._next_connection()
        return await connection.publish(message, is_news=self._is_news(message))

    async def _next_connection(self) -> EngineConnection:
        if self._attempt is None:
            raise EngineUnavailable(self._trouble or "the engine is closed")
        return await asyncio.shield(self._attempt)

    def _is_news(self, message: Own) -> bool:
        """Whether it is reported with its answer. When the engine comes to a call, it knows what it has been told
        before on the same connection, and no more."""
        return message.channel in self.channels and not (type(message) is Publish and message.comes_back)

    async def _run(self) -> NoReturn:
        pause = RETRY_SECONDS
        try:
            while True:
                try:
                    connection = await self._connect()
                except EngineUnavailable as error:
                    self._note_failure(error)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, MOST_RETRY_SECONDS)
                else:
                    pause = RETRY_SECONDS
                    await self._work_with(connection)
        finally:
            self._end_attempt(EngineUnavailable("the engine is closed"))

    async def _connect(self) -> EngineConnection:
        self._begin_attempt()
        return await connect(self._path, Hello(VERSION, self._node, self.farewell), self)

    async def _work_with(self, connection: EngineConnection) -> None:
        """Until the connection is lost."""
        try:
            self._introduce(connection)
            self._connection = connection
            self._end_attempt(connection)
            self._note_return()
            error = await asyncio.shield(connection.lost)
            log.error("connection to the engine lost", error=error)
            self._trouble = str(error)
        finally:
            self._connection = None
            await connection.wait_closed()

    def _introduce(self, connection: EngineConnection) -> None:
        names = list(self.channels)
        for start in range(0, len(names), NAMES_AT_ONCE):
            connection.send(Subscribe(names[start : start + NAMES_AT_ONCE]))
        for channel, entries in self.present.items():
            for client, info in entries.items():
                connection.send(AddPresence(channel, client, info))

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
        log.info("connected to the engine again", channels=len(self.channels))
        if self.events is not None:
            self.events.on_restored()

    # ------------------------------------------------------------------------------------------ Listener

    def take(self, event: Event) -> None:
        """See `Listener`."""
        try:
            if type(event) is Control:
                if self.on_control is not None:
                    self.on_control(event.message)
            elif self.events is not None:
                _report(event, self.events)
        except Exception:
            log.exception("error handling what the engine told")

    def take_own(self, call: Own, published: BrokerPublished) -> None:
        """See `Listener`."""
        try:
            if self.events is not None:
                _report(call if isinstance(call, Broadcast) else _event_of(call, published), self.events)
        except Exception:
            log.exception("error handling what was published")


def _report(event: Event, events: BrokerEvents) -> None:
    if type(event) is Broadcast:
        events.on_publication(event.channel, event.publication, "", use_delta=event.use_delta, previous=None)
    elif type(event) is Published:
        events.on_publication(
            event.channel, event.publication, event.epoch, use_delta=event.use_delta, previous=event.previous
        )
    elif type(event) is Joined:
        events.on_join(event.channel, event.info)
    elif type(event) is Left:
        events.on_leave(event.channel, event.info)


def _event_of(call: Publish, published: BrokerPublished) -> Published:
    """What the engine has told the others."""
    offset, epoch = published.offset, published.epoch
    publication = publication_at(call.data, call.options, offset, epoch)
    return Published(call.channel, publication, epoch, call.options.use_delta, None)
