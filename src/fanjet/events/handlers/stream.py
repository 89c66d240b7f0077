"""Streams fed by async generators of the application, one per subscription.

See 06 §12.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from msgspec import Struct

from fanjet.events.client_events import EventFailed
from fanjet.protocol.codes import ERROR_NOT_AVAILABLE, ReplyError
from fanjet.telemetry.logging import get_logger

from .payloads import payload_bytes
from .replies import SubscribeReply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanjet.events.answer import SubscribeAnswer
    from fanjet.events.stream import StreamReceiver

    from .tasks import HandlerTasks

StreamHandler: TypeAlias = Callable[..., AsyncGenerator[Any, None]]

log = get_logger(__name__)

MAX_RECEIVED: Final = 16
"""Client publications queued for the function; beyond this the client waits."""
PUBLICATIONS_PER_TURN: Final = 100
"""Publications after which other tasks run: a function may yield endlessly without waiting."""


class StreamedPublication(Struct, frozen=True):
    """A stream's publication with tags."""

    data: Any
    tags: Mapping[str, str] | None = None


class Received:
    """The client's publications to a bidirectional stream, as bytes and in order.

    Iteration ends with the stream.
    """

    def __init__(self) -> None:
        self._queue: deque[bytes] = deque()
        self._arrival = asyncio.Event()
        self._has_room = asyncio.Event()
        self._closed = False

    def __aiter__(self) -> Received:
        return self

    async def __anext__(self) -> bytes:
        """The next publication."""
        while not self._queue:
            self._arrival.clear()
            await self._arrival.wait()
        self._has_room.set()
        return self._queue.popleft()

    async def put(self, data: bytes) -> None:
        """Queue one; waits while the queue is full.

        Raises `EventFailed` when the stream has ended.
        """
        while len(self._queue) >= MAX_RECEIVED and not self._closed:
            self._has_room.clear()
            await self._has_room.wait()
        if self._closed:
            raise EventFailed
        self._queue.append(data)
        self._arrival.set()

    def close(self) -> None:
        """The stream has ended."""
        self._closed = True
        self._has_room.set()


class HandlerStream:
    """One stream.

    Its function runs entirely in one task, so that it can close what it opens.
    """

    answer: SubscribeAnswer
    """The answer that accepted it; set once `accepted` has returned."""

    def __init__(self, function: StreamHandler, event: Any, tasks: HandlerTasks, *, bidirectional: bool) -> None:
        self._received = Received() if bidirectional else None
        self._generator = function(event) if self._received is None else function(event, self._received)
        self._name = getattr(function, "__qualname__", repr(function))
        loop = asyncio.get_running_loop()
        self._first: asyncio.Future[Any] = loop.create_future()
        self._receiver: asyncio.Future[StreamReceiver] = loop.create_future()
        self._task = tasks.start(self._run())

    async def accepted(self) -> Any:
        """Return the function's first item, which accepts the subscription.

        Raises the function's exception.
        """
        try:
            first = await self._first
        except BaseException:
            self.cancel()
            raise
        return SubscribeReply() if first is None else first

    def start(self, receiver: StreamReceiver) -> None:
        """Deliver from now on."""
        self._receiver.set_result(receiver)

    async def send(self, data: bytes) -> None:
        """Queue a client's publication.

        Raises error 108 where the stream is unidirectional.
        """
        if self._received is None:
            raise ReplyError(ERROR_NOT_AVAILABLE)
        await self._received.put(data)

    def cancel(self) -> None:
        """End the stream; `CancelledError` is raised in the function."""
        self._task.cancel()

    async def _run(self) -> None:
        try:
            async with aclosing(self._generator) as publications:
                if await self._accept(publications):
                    await self._deliver(publications, await self._receiver)
        finally:
            if self._received is not None:
                self._received.close()

    async def _accept(self, publications: AsyncGenerator[Any, None]) -> bool:
        try:
            self._first.set_result(await anext(publications))
        except StopAsyncIteration:
            self._first.set_exception(RuntimeError("the stream ended before it was accepted"))
        except Exception as failure:
            self._first.set_exception(failure)
        else:
            return True
        return False

    async def _deliver(self, publications: AsyncGenerator[Any, None], receiver: StreamReceiver) -> None:
        failed, count = False, 0
        try:
            async for item in publications:
                data, tags = (item.data, item.tags) if isinstance(item, StreamedPublication) else (item, None)
                receiver.on_publication(payload_bytes(data), None if tags is None else dict(tags))
                count += 1
                if count % PUBLICATIONS_PER_TURN == 0:
                    await asyncio.sleep(0)
        except Exception:
            log.exception("handler of a stream failed", handler=self._name)
            failed = True
        receiver.on_end(failed=failed)
