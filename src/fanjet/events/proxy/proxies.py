"""`ClientEvents` implemented by proxies to backends (06)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from fanjet.events.headers import KeptHeaders
from fanjet.events.unknown_replies import UnknownReplies
from fanjet.protocol.codes import DISCONNECT_INTERNAL, ERROR_NOT_AVAILABLE, Disconnected, ReplyError

from . import event_kinds
from .calls import log_invalid_result
from .named_proxies import NamedProxies
from .observer import NoopObserver
from .responses import Response
from .results import (
    connect_answer,
    publish_answer,
    refresh_answer,
    rpc_answer,
    sub_refresh_answer,
    subscribe_answer,
)
from .rpc_methods import RPCMethods
from .setup import DEFAULT, make_event_proxy, make_stream_opener, referenced_proxies
from .tracing import CallTraces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanjet.channels.namespaces import Resolved
    from fanjet.config import Config
    from fanjet.config.tree.rpc import Rpc
    from fanjet.events.answer import (
        ConnectAnswer,
        PublishAnswer,
        RefreshAnswer,
        SubRefreshAnswer,
        SubscribeAnswer,
    )
    from fanjet.events.event import (
        ConnectEvent,
        DisconnectEvent,
        MessageEvent,
        PublishEvent,
        RefreshEvent,
        RPCEvent,
        SubRefreshEvent,
        SubscribeEvent,
    )
    from fanjet.events.stream import SubscriptionStream

    from .calls import EventProxy
    from .event_kinds import EventKind
    from .observer import ObserverFactory
    from .setup import ProxyReference
    from .tracing import Traces

R = TypeVar("R", bound=Response)


class Proxies:
    """All proxies that the configuration references.

    A reload changes which channels and methods use which proxy, never the proxies (06 §1.3). Raises `ConfigError` and
    `TLSError` for invalid settings.
    """

    def __init__(self, config: Config, observe: ObserverFactory = NoopObserver) -> None:
        references = list(referenced_proxies(config))
        self.unknown_replies = UnknownReplies()
        self.kept_headers = KeptHeaders(
            http=[name for reference in references for name in reference.config.http_headers],
            metadata=[name for reference in references for name in reference.config.grpc_metadata],
            emulated=[name for reference in references for name in reference.config.emulated_headers],
        )
        self._connect = _make_proxies(event_kinds.CONNECT, references, observe, self.unknown_replies)
        self._refresh = _make_proxies(event_kinds.REFRESH, references, observe, self.unknown_replies)
        self._subscribe = _make_proxies(event_kinds.SUBSCRIBE, references, observe, self.unknown_replies)
        self._publish = _make_proxies(event_kinds.PUBLISH, references, observe, self.unknown_replies)
        self._sub_refresh = _make_proxies(event_kinds.SUB_REFRESH, references, observe, self.unknown_replies)
        self._rpc = _make_proxies(event_kinds.RPC, references, observe, self.unknown_replies)
        openers = {
            reference.name: make_stream_opener(reference, observe)
            for reference in references
            if reference.event_type == event_kinds.SUBSCRIBE_STREAM
        }
        self._streams = NamedProxies(event_kinds.SUBSCRIBE_STREAM, openers)
        self._methods = RPCMethods(config.rpc)
        self.decides_connect = len(self._connect) > 0
        self.decides_refresh = len(self._refresh) > 0
        self.answers_rpc = len(self._rpc) > 0
        self.takes_messages = self.wants_disconnects = False

    def reload(self, rpc: Rpc) -> None:
        """Apply the configuration of RPC methods to proxies."""
        self._methods = RPCMethods(rpc)

    def trace(self, traces: Traces) -> None:
        """Trace all calls and propagate the trace context to backends."""
        for proxies in self._all_proxies:
            for name, proxy in proxies.items():
                proxy.trace(CallTraces(traces, proxies.event_type, name))

    async def close(self) -> None:
        """Close all connections to backends."""
        await asyncio.gather(*(proxy.close() for proxies in self._all_proxies for _, proxy in proxies.items()))

    @property
    def _all_proxies(self) -> Sequence[NamedProxies[Any]]:
        unary = (self._connect, self._refresh, self._subscribe, self._publish, self._sub_refresh, self._rpc)
        return (*unary, self._streams)

    async def connect(self, event: ConnectEvent) -> ConnectAnswer | None:
        """Authenticate a connection; None if the backend gives no result."""
        return await self._connect[DEFAULT].call_and_decode(
            connect_answer, event, name=event.name, version=event.version, channels=list(event.channels)
        )

    async def refresh(self, event: RefreshEvent) -> RefreshAnswer | None:
        """Extend a connection; None ends it.

        Raises an internal disconnect if the info cannot be decoded, which is not the client's fault (06 §4.4).
        """
        response = await self._refresh[DEFAULT].call(event)
        try:
            return refresh_answer(response)
        except ValueError as error:
            log_invalid_result(event, error)
            raise Disconnected(DISCONNECT_INTERNAL) from None

    async def subscribe(self, event: SubscribeEvent, resolved: Resolved) -> SubscribeAnswer:
        """Authorize a subscription."""
        proxy = self._subscribe[resolved.options.subscribe_proxy_name]
        return await proxy.call_and_decode(subscribe_answer, event, channel=event.channel)

    async def open_stream(self, event: SubscribeEvent, resolved: Resolved) -> SubscriptionStream:
        """Authorize a subscription and open its stream."""
        options = resolved.options
        opener = self._streams[options.subscribe_stream_proxy_name]
        return await opener.open(event, bidirectional=options.subscribe_stream_proxy_bidirectional)

    async def publish(self, event: PublishEvent, resolved: Resolved) -> PublishAnswer:
        """Authorize a publication."""
        proxy = self._publish[resolved.options.publish_proxy_name]
        return await proxy.call_and_decode(publish_answer, event, channel=event.channel)

    async def sub_refresh(self, event: SubRefreshEvent, resolved: Resolved) -> SubRefreshAnswer | None:
        """Extend a subscription; None ends it."""
        proxy = self._sub_refresh[resolved.options.sub_refresh_proxy_name]
        response = await proxy.call(event, channel=event.channel)
        try:
            return sub_refresh_answer(response)
        except ValueError as error:
            log_invalid_result(event, error)
            return None

    async def rpc(self, event: RPCEvent) -> bytes:
        """Call an RPC method."""
        proxy = self._rpc[self._methods.proxy_name(event.method)]
        return await proxy.call_and_decode(rpc_answer, event, method=event.method)

    async def message(self, event: MessageEvent) -> NoReturn:
        """Raise error 108: no proxy accepts messages."""
        raise ReplyError(ERROR_NOT_AVAILABLE)

    async def disconnect(self, event: DisconnectEvent) -> None:
        """Do nothing: there is no disconnect proxy."""


def _make_proxies(
    kind: EventKind[R], references: Sequence[ProxyReference], observe: ObserverFactory, unknown_replies: UnknownReplies
) -> NamedProxies[EventProxy[R]]:
    of_kind = [reference for reference in references if reference.event_type == kind.name]
    return NamedProxies(
        kind.name,
        {reference.name: make_event_proxy(kind, reference, observe, unknown_replies) for reference in of_kind},
    )
