"""Calls the application's handlers, and the proxies for events without one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from fanjet.events.client_events import EventFailed
from fanjet.events.headers import KeptHeaders
from fanjet.protocol.codes import ERROR_METHOD_NOT_FOUND, Disconnected, ReplyError
from fanjet.telemetry.logging import get_logger

from .payloads import payload_bytes
from .registry import handler_for
from .replies import ConnectReply, PublishReply, RefreshReply, SubRefreshReply, SubscribeReply
from .stream import HandlerStream

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine

    from fanjet.channels.namespaces import Resolved
    from fanjet.events.answer import (
        ConnectAnswer,
        PublishAnswer,
        RefreshAnswer,
        SubRefreshAnswer,
        SubscribeAnswer,
    )
    from fanjet.events.client_events import ClientEvents
    from fanjet.events.event import (
        ConnectEvent,
        DisconnectEvent,
        Event,
        MessageEvent,
        PublishEvent,
        RefreshEvent,
        RPCEvent,
        SubRefreshEvent,
        SubscribeEvent,
    )
    from fanjet.events.stream import SubscriptionStream

    from .registry import Handler, Handlers

log = get_logger(__name__)

R = TypeVar("R")

_ALLOWED = SubscribeReply().answer()
_UNCHANGED = PublishReply().answer()


class HandlerEvents:
    """`ClientEvents` answered by the application's handlers, else by `fallback`.

    `headers`, `emulated_headers`: names for events beyond those that `fallback` keeps.
    """

    def __init__(
        self,
        handlers: Handlers,
        fallback: ClientEvents,
        *,
        headers: Collection[str] = (),
        emulated_headers: Collection[str] = (),
    ) -> None:
        self._handlers = handlers
        self._fallback = fallback
        kept = fallback.kept_headers
        self.kept_headers = KeptHeaders(
            http=[*kept.http, *headers],
            metadata=[*kept.metadata, *headers],
            emulated=[*kept.emulated, *emulated_headers],
        )
        self.decides_connect = handlers.connect is not None or fallback.decides_connect
        self.decides_refresh = handlers.refresh is not None or fallback.decides_refresh
        self.answers_rpc = bool(handlers.rpc) or fallback.answers_rpc
        self.takes_messages = handlers.message is not None or fallback.takes_messages
        self.wants_disconnects = handlers.disconnect is not None or fallback.wants_disconnects

    async def connect(self, event: ConnectEvent) -> ConnectAnswer | None:
        """Authenticate a client."""
        handler = self._handlers.connect
        if handler is None:
            return await self._fallback.connect(event)
        reply = await self._reply(handler, event, ConnectReply)
        return None if reply is None else _answer(event, reply)

    async def refresh(self, event: RefreshEvent) -> RefreshAnswer | None:
        """Refresh a connection."""
        handler = self._handlers.refresh
        if handler is None:
            return await self._fallback.refresh(event)
        reply = await self._reply(handler, event, RefreshReply)
        return None if reply is None else _answer(event, reply)

    async def subscribe(self, event: SubscribeEvent, resolved: Resolved) -> SubscribeAnswer:
        """Authorize a subscription."""
        handler = handler_for(self._handlers.subscribe, resolved.namespace)
        if handler is None:
            return await self._fallback.subscribe(event, resolved)
        reply = await self._reply(handler, event, SubscribeReply)
        return _ALLOWED if reply is None else _answer(event, reply)

    async def open_stream(self, event: SubscribeEvent, resolved: Resolved) -> SubscriptionStream:
        """Authorize a subscription fed by a stream."""
        stream = self._handlers.streams.get(resolved.namespace)
        if stream is None:
            return await self._fallback.open_stream(event, resolved)
        name = _name(stream.function)
        opened = HandlerStream(stream.function, event, self._handlers.tasks, bidirectional=stream.bidirectional)
        try:
            reply = _checked(await self._guarded(opened.accepted(), name, event), name, event, SubscribeReply)
            opened.answer = _answer(event, reply)
        except BaseException:
            opened.cancel()
            raise
        return opened

    async def publish(self, event: PublishEvent, resolved: Resolved) -> PublishAnswer:
        """Authorize a publication."""
        handler = handler_for(self._handlers.publish, resolved.namespace)
        if handler is None:
            return await self._fallback.publish(event, resolved)
        reply = await self._reply(handler, event, PublishReply)
        return _UNCHANGED if reply is None else _answer(event, reply)

    async def sub_refresh(self, event: SubRefreshEvent, resolved: Resolved) -> SubRefreshAnswer | None:
        """Refresh a subscription."""
        handler = handler_for(self._handlers.sub_refresh, resolved.namespace)
        if handler is None:
            return await self._fallback.sub_refresh(event, resolved)
        reply = await self._reply(handler, event, SubRefreshReply)
        return None if reply is None else _answer(event, reply)

    async def rpc(self, event: RPCEvent) -> bytes:
        """Call an RPC method."""
        handler = handler_for(self._handlers.rpc, event.method)
        if handler is not None:
            return _encoded(event, await self._call(handler, event))
        if self._fallback.answers_rpc:
            return await self._fallback.rpc(event)
        raise ReplyError(ERROR_METHOD_NOT_FOUND)

    async def message(self, event: MessageEvent) -> None:
        """Handle a message."""
        handler = self._handlers.message
        await (self._fallback.message(event) if handler is None else self._call(handler, event))

    async def disconnect(self, event: DisconnectEvent) -> None:
        """Handle the end of a connection."""
        if self._handlers.disconnect is not None:
            await self._call(self._handlers.disconnect, event)
        if self._fallback.wants_disconnects:
            await self._fallback.disconnect(event)

    async def _call(self, handler: Handler, event: Event) -> Any:
        """Return the handler's result. Raises as `_guarded`."""
        return await self._guarded(handler(event), _name(handler), event)

    async def _guarded(self, work: Coroutine[Any, Any, Any], name: str, event: Event) -> Any:
        """Return the result of a handler's work.

        Raises its rejection, `EventFailed` for any other exception.

        A rejection may be an exception object that the application raises repeatedly. It is replaced by a new one,
        since its traceback would hold the frames that it passed.
        """
        failure: Exception
        try:
            return await self._handlers.tasks.run(work)
        except asyncio.CancelledError:
            raise
        except ReplyError as refusal:
            failure = ReplyError(refusal.with_traceback(None).error)
        except Disconnected as ending:
            failure = Disconnected(ending.with_traceback(None).disconnect)
        except Exception:
            log.exception("handler failed", handler=name, client=event.client)
            failure = EventFailed()
        try:
            raise failure
        finally:
            del failure  # it holds this frame

    async def _reply(self, handler: Handler, event: Event, expected: type[R]) -> R | None:
        reply = await self._call(handler, event)
        return None if reply is None else _checked(reply, _name(handler), event, expected)


def _checked(reply: Any, name: str, event: Event, expected: type[R]) -> R:
    """Check the type of a handler's reply. Raises `EventFailed` for other types."""
    if isinstance(reply, expected):
        return reply
    log.error(
        "handler returned something else than it may",
        handler=name,
        client=event.client,
        returned=type(reply).__name__,
        expected=expected.__name__,
    )
    raise EventFailed


def _answer(event: Event, reply: Any) -> Any:
    """Convert a reply to an answer.

    Raises `EventFailed` for payloads that cannot be encoded.
    """
    try:
        return reply.answer()
    except (TypeError, ValueError) as error:
        log.error("reply of a handler cannot be encoded", client=event.client, error=str(error))
    raise EventFailed


def _encoded(event: Event, value: Any) -> bytes:
    try:
        return payload_bytes(value)
    except (TypeError, ValueError) as error:
        log.error("result of an RPC handler cannot be encoded", client=event.client, error=str(error))
    raise EventFailed


def _name(handler: Callable[..., Any]) -> str:
    return getattr(handler, "__qualname__", repr(handler))
