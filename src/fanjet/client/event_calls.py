"""Asking the application on behalf of a connection (06 §3, §4.5)."""

from __future__ import annotations

from asyncio import CancelledError, current_task
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from fanjet.protocol.codes import DISCONNECT_CONNECTION_CLOSED, Disconnected

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Generator, Mapping

    from fanjet.protocol.codes import Disconnect

    from .context import ClientContext
    from .request_info import RequestInfo
    from .transport import Transport

T = TypeVar("T")

INLINE_TRANSPORTS = frozenset({"websocket", "uni_websocket"})
"""Where commands come over the connection itself: while one asks, the connection is neither read nor closed. The others
notice a close at once."""


class EventCaller(Protocol):
    """What event calls need of a session."""

    client_id: str
    user: str
    meta: bytes
    labels: Mapping[str, str] | None
    transport: Transport
    request_info: RequestInfo
    context: ClientContext
    pending_calls: PendingCalls | None

    def disconnect(self, disconnect: Disconnect) -> None:
        """Close the connection."""


class PendingCalls:
    """The questions of one connection that wait for answers, and the close that waits with them."""

    __slots__ = ("calls", "deferred", "inline")

    def __init__(self) -> None:
        self.calls: set[_PendingCall[Any]] = set()
        self.inline = 0
        self.deferred: Disconnect | None = None

    def defer(self, disconnect: Disconnect) -> bool:
        """Whether the connection has to stay open until a question is answered; it ends with what came first."""
        if not self.inline:
            return False
        if self.deferred is None:
            self.deferred = disconnect
        return True

    def cancel(self) -> None:
        """The answers are of no use any more."""
        for call in self.calls:
            call.cancel()


class _PendingCall(Generic[T]):
    """A question that waits. It can be given up on its own, without the command, in whose task it is awaited: a task
    for it would cost a quarter of a call to a backend."""

    __slots__ = ("_awaited", "_coro", "_is_cancelled")

    def __init__(self, coro: Coroutine[Any, Any, T], awaited: asyncio.Future[Any] | None) -> None:
        """`coro` has been stepped, and waits for `awaited`."""
        self._coro = coro
        self._awaited = awaited
        self._is_cancelled = False

    def cancel(self) -> None:
        """Let `CancelledError` be raised in it where it waits."""
        self._is_cancelled = self._awaited is None or not self._awaited.cancel()

    def __await__(self) -> Generator[Any, Any, T]:
        coro = self._coro
        try:
            while True:
                try:
                    sent = yield self._awaited
                except GeneratorExit:
                    coro.close()
                    raise
                except BaseException as error:
                    self._awaited = coro.throw(error)
                else:
                    self._awaited = coro.throw(CancelledError()) if self._is_cancelled else coro.send(sent)
                self._is_cancelled = False
        except StopIteration as finished:
            answer: T = finished.value
            return answer


def event_fields(session: EventCaller) -> dict[str, Any]:
    """What every event tells about its connection."""
    request_info = session.request_info
    return {
        "client": session.client_id,
        "transport": session.transport.name,
        "protocol": session.transport.wire.codec.name,
        "user": session.user,
        "meta": session.meta,
        "labels": session.labels,
        "headers": request_info.headers,
        "metadata": request_info.metadata,
        "emulated_headers": request_info.emulated_headers,
    }


async def call_event(session: EventCaller, call: Coroutine[Any, Any, T]) -> T:
    """Ask what a command depends on.

    Raises what the application does, and `Disconnected` 3000 when the connection ended first. It may have ended all the
    same when this returns: a close that had to wait takes effect right before.
    """
    return await _call(session, call, inline=session.context.settings.concurrency == 1)


async def call_connect_event(session: EventCaller, call: Coroutine[Any, Any, T]) -> T:
    """The same for a connect, during which nothing else ever runs."""
    return await _call(session, call, inline=True)


async def call_background_event(session: EventCaller, call: Coroutine[Any, Any, T]) -> T:
    """The same for what no command asks."""
    return await _call(session, call, inline=False)


async def _call(session: EventCaller, call: Coroutine[Any, Any, T], *, inline: bool) -> T:
    try:
        awaited = call.send(None)
    except StopIteration as answered:
        answer: T = answered.value
        return answer
    return await _wait(session, _PendingCall(call, awaited), inline and session.transport.name in INLINE_TRANSPORTS)


async def _wait(session: EventCaller, call: _PendingCall[T], inline: bool) -> T:
    pending_calls = session.pending_calls
    if pending_calls is None:
        pending_calls = session.pending_calls = PendingCalls()
    pending_calls.calls.add(call)
    pending_calls.inline += inline
    try:
        return await call
    except CancelledError:
        task = current_task()
        if task is not None and task.cancelling():  # it is the command itself that has been cancelled
            raise
        raise Disconnected(DISCONNECT_CONNECTION_CLOSED) from None
    finally:
        pending_calls.calls.discard(call)
        pending_calls.inline -= inline
        if not pending_calls.calls:
            session.pending_calls = None
        if pending_calls.deferred is not None and not pending_calls.inline:
            session.disconnect(pending_calls.deferred)
