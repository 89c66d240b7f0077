"""Decorators that register functions of an application as event handlers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

import msgspec

from fanjet.events.handlers.payloads import payload_bytes
from fanjet.events.handlers.registry import ANY, Handlers, Stream, require_async

if TYPE_CHECKING:
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
    from fanjet.events.handlers.replies import (
        ConnectReply,
        PublishReply,
        RefreshReply,
        SubRefreshReply,
        SubscribeReply,
    )
    from fanjet.node.rpc_methods import RPCMethod

T = TypeVar("T")
Result: TypeAlias = Coroutine[Any, Any, T]

OnConnect = TypeVar("OnConnect", bound="Callable[[ConnectEvent], Result[ConnectReply | None]]")
OnRefresh = TypeVar("OnRefresh", bound="Callable[[RefreshEvent], Result[RefreshReply | None]]")
OnSubscribe = TypeVar("OnSubscribe", bound="Callable[[SubscribeEvent], Result[SubscribeReply | None]]")
OnPublish = TypeVar("OnPublish", bound="Callable[[PublishEvent], Result[PublishReply | None]]")
OnSubRefresh = TypeVar("OnSubRefresh", bound="Callable[[SubRefreshEvent], Result[SubRefreshReply | None]]")
OnRPC = TypeVar("OnRPC", bound="Callable[[RPCEvent], Result[Any]]")
OnStream = TypeVar("OnStream", bound=Callable[..., AsyncGenerator[Any, None]])
OnMessage = TypeVar("OnMessage", bound="Callable[[MessageEvent], Result[None]]")
OnDisconnect = TypeVar("OnDisconnect", bound="Callable[[DisconnectEvent], Result[None]]")
ApiProcedure = TypeVar("ApiProcedure", bound=Callable[[Any], Result[Any]])


class Registration:
    """The decorators of a server.

    Handlers are async functions. They reject by raising `ClientError` or `DisconnectClient`; other exceptions are
    logged, and the client gets an internal error. A handler takes precedence over a proxy that is configured for the
    same event.

    Handlers of channel events take the name of a namespace, `""` for channels without one; a handler without a name is
    for all channels that have no other handler.

    Registering raises `TypeError` for a function that is not async, `ValueError` for a second handler of the same event
    and namespace, and `RuntimeError` once the server runs.
    """

    def __init__(self) -> None:
        self._handlers = Handlers()
        self._procedures: dict[str, RPCMethod] = {}

    def _require_not_started(self) -> None:
        """Raise `RuntimeError` when it is too late to register anything."""

    def on_connect(self, handler: OnConnect) -> OnConnect:
        """Authenticate connections without token.

        None: the client stays anonymous where that is allowed, and is disconnected elsewhere.
        """
        self._set("connect", handler)
        return handler

    def on_refresh(self, handler: OnRefresh) -> OnRefresh:
        """Refresh connections that expire; None ends one as expired.

        Clients cannot refresh by token then.
        """
        self._set("refresh", handler)
        return handler

    def on_message(self, handler: OnMessage) -> OnMessage:
        """Handle messages that clients send without waiting for a reply."""
        self._set("message", handler)
        return handler

    def on_disconnect(self, handler: OnDisconnect) -> OnDisconnect:
        """Handle the end of connections."""
        self._set("disconnect", handler)
        return handler

    @overload
    def on_subscribe(self, namespace: str) -> Callable[[OnSubscribe], OnSubscribe]: ...
    @overload
    def on_subscribe(self, namespace: OnSubscribe) -> OnSubscribe: ...
    def on_subscribe(self, namespace: Any) -> Any:
        """Authorize subscriptions without token.

        None allows one with the namespace's options.
        """
        return self._namespace_decorator("subscribe", namespace)

    @overload
    def on_publish(self, namespace: str) -> Callable[[OnPublish], OnPublish]: ...
    @overload
    def on_publish(self, namespace: OnPublish) -> OnPublish: ...
    def on_publish(self, namespace: Any) -> Any:
        """Authorize publications of clients; None publishes one unchanged."""
        return self._namespace_decorator("publish", namespace)

    @overload
    def on_sub_refresh(self, namespace: str) -> Callable[[OnSubRefresh], OnSubRefresh]: ...
    @overload
    def on_sub_refresh(self, namespace: OnSubRefresh) -> OnSubRefresh: ...
    def on_sub_refresh(self, namespace: Any) -> Any:
        """Refresh subscriptions that expire; None ends one as expired."""
        return self._namespace_decorator("sub_refresh", namespace)

    def on_stream(self, namespace: str, *, bidirectional: bool = False) -> Callable[[OnStream], OnStream]:
        """Feed each subscription without token in a namespace by an async generator.

        The first value that it yields accepts the subscription, a `SubscribeReply` or None; to reject, it raises. All
        other values are delivered to this one client: payloads, or `StreamedPublication`s. When the generator ends, the
        subscription ends; when the subscription ends, the generator is cancelled. `bidirectional`: it takes a second
        argument, `Received`, which yields the publications of the client.
        """

        def register(function: OnStream) -> OnStream:
            self._require_not_started()
            self._handlers.add_stream(namespace, Stream(function, bidirectional))
            return function

        return register

    def rpc(self, method: str) -> Callable[[OnRPC], OnRPC]:
        """Handle an RPC method of clients; the result is a payload or None."""
        return self._decorator("rpc", method)

    def on_rpc(self, handler: OnRPC) -> OnRPC:
        """Handle all RPC methods that have no other handler."""
        self._add("rpc", ANY, handler)
        return handler

    def api_rpc(self, method: str) -> Callable[[ApiProcedure], ApiProcedure]:
        """Handle a method of the server API's `rpc` (05 §6.13).

        The function takes the decoded parameters, None if there are none, returns a payload, and may raise `ApiError`.
        """

        def register(procedure: ApiProcedure) -> ApiProcedure:
            self._require_not_started()
            require_async(procedure, f"api_rpc {method}")
            if not method:
                raise ValueError("a method of api_rpc needs a name")
            if method in self._procedures:
                raise ValueError(f"there is a procedure {method!r} already")
            self._procedures[method] = self._as_procedure(procedure)
            return procedure

        return register

    def _set(self, event: str, handler: Any) -> None:
        self._require_not_started()
        self._handlers.set_single(event, handler)

    def _add(self, event: str, key: str | None, handler: Any) -> None:
        self._require_not_started()
        self._handlers.add(event, key, handler)

    def _namespace_decorator(self, event: str, namespace: Any) -> Any:
        """The decorator for a namespace.

        Where `@` is used without parentheses, `namespace` is the handler: it is registered and returned.
        """
        if isinstance(namespace, str):
            return self._decorator(event, namespace)
        self._add(event, ANY, namespace)
        return namespace

    def _decorator(self, event: str, key: str) -> Callable[[Any], Any]:
        def register(handler: Any) -> Any:
            self._add(event, key, handler)
            return handler

        return register

    def _as_procedure(self, function: Callable[[Any], Result[Any]]) -> RPCMethod:
        async def procedure(params: bytes) -> bytes:
            decoded = msgspec.json.decode(params) if params else None
            return payload_bytes(await self._handlers.tasks.run(function(decoded)))

        return procedure
