"""Calls of the application's event handler for a connection (06 §3, §4.5)."""

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
"""Transports whose commands arrive on the connection itself: while a call is under way, it is neither read nor closed.
The others detect a close at once."""


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
    """A connection's calls under way, and a disconnect deferred until they complete."""

    __slots__ = ("calls", "deferred", "inline")

    def __init__(self) -> None:
        self.calls: set[_PendingCall[Any]] = set()
        self.inline = 0
        self.deferred: Disconnect | None = None

    def defer(self, disconnect: Disconnect) -> bool:
        """Whether the disconnect has to wait for a call.

        The first deferred disconnect takes effect.
        """
        if not self.inline:
            return False
        if self.deferred is None:
            self.deferred = disconnect
        return True

    def cancel(self) -> None:
        """Cancel the calls, whose answers are no longer needed."""
        for call in self.calls:
            call.cancel()


class _PendingCall(Generic[T]):
    """A call that waits.

    It can be cancelled separately from the command in whose task it is awaited; a task of its own would cost a quarter
    of a call to a backend.
    """

    __slots__ = ("_awaited", "_coro", "_is_cancelled")

    def __init__(self, coro: Coroutine[Any, Any, T], awaited: asyncio.Future[Any] | None) -> None:
        """`coro` has been stepped and waits for `awaited`."""
        self._coro = coro
        self._awaited = awaited
        self._is_cancelled = False

    def cancel(self) -> None:
        """Raise `CancelledError` in the coroutine where it waits."""
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
    """Return the fields that every event has."""
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
    """Await a call that a command depends on.

    Raises the handler's exceptions, and `Disconnected` 3000 when the connection was closed first. The connection may be
    closed when this returns: a deferred disconnect takes effect right before.
    """
    return await _call(session, call, inline=session.context.settings.concurrency == 1)


async def call_connect_event(session: EventCaller, call: Coroutine[Any, Any, T]) -> T:
    """Like `call_event`, for a connect, during which no other command runs."""
    return await _call(session, call, inline=True)


async def call_background_event(session: EventCaller, call: Coroutine[Any, Any, T]) -> T:
    """Like `call_event`, for calls outside of commands."""
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
        if task is not None and task.cancelling():  # the command itself has been cancelled
            raise
        raise Disconnected(DISCONNECT_CONNECTION_CLOSED) from None
    finally:
        pending_calls.calls.discard(call)
        pending_calls.inline -= inline
        if not pending_calls.calls:
            session.pending_calls = None
        if pending_calls.deferred is not None and not pending_calls.inline:
            session.disconnect(pending_calls.deferred)
