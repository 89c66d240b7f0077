"""Decorators by which the functions of an application become handlers."""

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
Answer: TypeAlias = Coroutine[Any, Any, T]

OnConnect = TypeVar("OnConnect", bound="Callable[[ConnectEvent], Answer[ConnectReply | None]]")
OnRefresh = TypeVar("OnRefresh", bound="Callable[[RefreshEvent], Answer[RefreshReply | None]]")
OnSubscribe = TypeVar("OnSubscribe", bound="Callable[[SubscribeEvent], Answer[SubscribeReply | None]]")
OnPublish = TypeVar("OnPublish", bound="Callable[[PublishEvent], Answer[PublishReply | None]]")
OnSubRefresh = TypeVar("OnSubRefresh", bound="Callable[[SubRefreshEvent], Answer[SubRefreshReply | None]]")
OnRPC = TypeVar("OnRPC", bound="Callable[[RPCEvent], Answer[Any]]")
OnStream = TypeVar("OnStream", bound=Callable[..., AsyncGenerator[Any, None]])
OnMessage = TypeVar("OnMessage", bound="Callable[[MessageEvent], Answer[None]]")
OnDisconnect = TypeVar("OnDisconnect", bound="Callable[[DisconnectEvent], Answer[None]]")
ApiProcedure = TypeVar("ApiProcedure", bound=Callable[[Any], Answer[Any]])


class Registration:
    """The decorators of a server.

    Handlers are async functions. They refuse by raising `ClientError` or `DisconnectClient`; anything else that they
    raise is logged, and the client told of an internal error. A handler wins over a proxy that is configured for the
    same event.

    Handlers about channels take the name of a namespace, `""` for channels without one; a handler without is for all
    channels that no other handler answers for.

    Registering raises `TypeError` for what is no async function, `ValueError` for a second handler in one place, and
    `RuntimeError` once the server runs.
    """

    def __init__(self) -> None:
        self._handlers = Handlers()
        self._procedures: dict[str, RPCMethod] = {}

    def _require_not_started(self) -> None:
        """Raise `RuntimeError` when it is too late to register anything."""

    def on_connect(self, handler: OnConnect) -> OnConnect:
        """Decide who connects without token. None: the function does not know, so that the client stays anonymous where
        that is allowed, and is sent away elsewhere."""
        self._set("connect", handler)
        return handler

    def on_refresh(self, handler: OnRefresh) -> OnRefresh:
        """Prolong connections that expire; None ends one as expired. Clients cannot refresh by token then."""
        self._set("refresh", handler)
        return handler

    def on_message(self, handler: OnMessage) -> OnMessage:
        """Take messages that clients send without waiting for an answer."""
        self._set("message", handler)
        return handler

    def on_disconnect(self, handler: OnDisconnect) -> OnDisconnect:
        """Hear of connections that have ended."""
        self._set("disconnect", handler)
        return handler

    @overload
    def on_subscribe(self, namespace: str) -> Callable[[OnSubscribe], OnSubscribe]: ...
    @overload
    def on_subscribe(self, namespace: OnSubscribe) -> OnSubscribe: ...
    def on_subscribe(self, namespace: Any) -> Any:
        """Decide about subscriptions without token; None allows one with the namespace's options."""
        return self._in_place("subscribe", namespace)

    @overload
    def on_publish(self, namespace: str) -> Callable[[OnPublish], OnPublish]: ...
    @overload
    def on_publish(self, namespace: OnPublish) -> OnPublish: ...
    def on_publish(self, namespace: Any) -> Any:
        """Decide about publications of clients; None lets one through as it is."""
        return self._in_place("publish", namespace)

    @overload
    def on_sub_refresh(self, namespace: str) -> Callable[[OnSubRefresh], OnSubRefresh]: ...
    @overload
    def on_sub_refresh(self, namespace: OnSubRefresh) -> OnSubRefresh: ...
    def on_sub_refresh(self, namespace: Any) -> Any:
        """Prolong subscriptions that expire; None ends one as expired."""
        return self._in_place("sub_refresh", namespace)

    def on_stream(self, namespace: str, *, bidirectional: bool = False) -> Callable[[OnStream], OnStream]:
        """Feed the subscriptions of a namespace that come without token, each by an async generator of its own.

        What it yields first accepts, a `SubscribeReply` or None; to refuse, it raises. Everything else that it yields
        is delivered to this one client: payloads, or `StreamedPublication`s. When it ends, so does the subscription;
        when the subscription ends, it is cancelled. `bidirectional`: it takes a second argument, `Received`, which
        yields what the client publishes.
        """

        def register(function: OnStream) -> OnStream:
            self._require_not_started()
            self._handlers.add_stream(namespace, Stream(function, bidirectional))
            return function

        return register

    def rpc(self, method: str) -> Callable[[OnRPC], OnRPC]:
        """Answer a method that clients call, with a payload or None."""
        return self._decorator("rpc", method)

    def on_rpc(self, handler: OnRPC) -> OnRPC:
        """Answer all methods that no other handler does."""
        self._add("rpc", ANY, handler)
        return handler

    def api_rpc(self, method: str) -> Callable[[ApiProcedure], ApiProcedure]:
        """Answer a method that backends call by the server API's `rpc` (05 §6.13). The function takes the parameters
        decoded, None for none, returns a payload, and may raise `ApiError`."""

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

    def _in_place(self, event: str, namespace: Any) -> Any:
        """The decorator for a namespace, or what `@` without parentheses makes of a handler."""
        if isinstance(namespace, str):
            return self._decorator(event, namespace)
        self._add(event, ANY, namespace)
        return namespace

    def _decorator(self, event: str, key: str) -> Callable[[Any], Any]:
        def register(handler: Any) -> Any:
            self._add(event, key, handler)
            return handler

        return register

    def _as_procedure(self, function: Callable[[Any], Answer[Any]]) -> RPCMethod:
        async def procedure(params: bytes) -> bytes:
            decoded = msgspec.json.decode(params) if params else None
            return payload_bytes(await self._handlers.tasks.run(function(decoded)))

        return procedure
