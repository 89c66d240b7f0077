"""Registry of the application's event handlers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .tasks import HandlerTasks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanjet.config.tree.channel import Channel, ChannelOptions

    from .stream import StreamHandler

Handler = Callable[[Any], Coroutine[Any, Any, Any]]

ANY: Final = None
"""The key of a handler for all namespaces or methods without a handler of their own."""


class Stream(NamedTuple):
    """The function that feeds a namespace's subscriptions.

    The tuple also holds whether it accepts clients' publications.
    """

    function: StreamHandler
    bidirectional: bool


class Handlers:
    """Handlers by event.

    Those for channels by namespace, where the empty name means channels without namespace; those for RPC by method.
    """

    def __init__(self) -> None:
        self.connect: Handler | None = None
        self.refresh: Handler | None = None
        self.message: Handler | None = None
        self.disconnect: Handler | None = None
        self.subscribe: dict[str | None, Handler] = {}
        self.publish: dict[str | None, Handler] = {}
        self.sub_refresh: dict[str | None, Handler] = {}
        self.rpc: dict[str | None, Handler] = {}
        self.streams: dict[str, Stream] = {}
        self.tasks = HandlerTasks()

    def set_single(self, event: str, handler: Handler) -> None:
        """Register the handler of all events of a kind.

        Raises `TypeError`, and `ValueError` when there is one already.
        """
        require_async(handler, event)
        if getattr(self, event) is not None:
            raise ValueError(f"there is a handler for {event} already")
        setattr(self, event, handler)

    def add(self, event: str, key: str | None, handler: Handler) -> None:
        """Register the handler of an event for one namespace or method.

        Raises as `set_single`.
        """
        require_async(handler, event)
        handlers = getattr(self, event)
        if key in handlers or (event == "subscribe" and key in self.streams):
            where = "everywhere" if key is ANY else repr(key)
            raise ValueError(f"there is a handler for {event} {where} already")
        handlers[key] = handler

    def add_stream(self, namespace: str, stream: Stream) -> None:
        """Register the stream that feeds a namespace's subscriptions.

        Raises as `set_single`.
        """
        if not inspect.isasyncgenfunction(stream.function):
            name = getattr(stream.function, "__qualname__", repr(stream.function))
            raise TypeError(f"{name}, which is to feed a stream, must be an async generator (async def with yield)")
        if namespace in self.streams or namespace in self.subscribe:
            raise ValueError(f"there is a handler for subscribe {namespace!r} already")
        self.streams[namespace] = stream

    def with_handlers(self, channel: Channel) -> Channel:
        """The configuration of channels, with the options that announce handlers.

        By these options sessions find out that the application decides.

        Raises `ValueError` for a handler of a namespace that does not exist.
        """
        names = {"", *(namespace.name for namespace in channel.namespaces)}
        for kind, places in (
            ("subscribe", self.subscribe),
            ("stream", self.streams),
            ("publish", self.publish),
            ("sub_refresh", self.sub_refresh),
        ):
            for key in places:
                if key is not ANY and key not in names:
                    raise ValueError(f"a handler for {kind} names the namespace {key!r}, which is not configured")
        return channel.model_copy(
            update={
                "without_namespace": self._options_with_handlers("", channel.without_namespace),
                "namespaces": tuple(self._options_with_handlers(each.name, each) for each in channel.namespaces),
            }
        )

    def _options_with_handlers(self, name: str, options: ChannelOptions) -> ChannelOptions:
        update: dict[str, bool] = {}
        if name in self.streams:
            update |= {"subscribe_stream_proxy_enabled": True, "subscribe_proxy_enabled": False}
        elif handler_for(self.subscribe, name) is not None:
            update |= {"subscribe_proxy_enabled": True, "subscribe_stream_proxy_enabled": False}
        if handler_for(self.publish, name) is not None:
            update["publish_proxy_enabled"] = True
        if handler_for(self.sub_refresh, name) is not None:
            update["sub_refresh_proxy_enabled"] = True
        return options.model_copy(update=update) if update else options


def handler_for(handlers: Mapping[str | None, Handler], key: str) -> Handler | None:
    """Return the handler for a namespace or method, if there is one."""
    return handlers.get(key) or handlers.get(ANY)


def require_async(function: Callable[..., Any], purpose: str) -> None:
    """Raise `TypeError` for a function that is not a coroutine function.

    Such a function would block all connections while it runs.
    """
    called = getattr(function, "__call__", None)  # noqa: B004 (of an object that can be called, its method)
    if not (inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)):
        name = getattr(function, "__qualname__", repr(function))
        raise TypeError(f"{name}, which is to handle {purpose}, must be an async function (async def)")
