"""What a program that embeds the server adds to what the configuration says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fanjet.config import ConfigError
from fanjet.events.handlers.handler_events import HandlerEvents

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from fanjet.config.tree.channel import Channel
    from fanjet.events.client_events import ClientEvents
    from fanjet.events.handlers.registry import Handlers
    from fanjet.net.asgi_app.app import AsgiApp
    from fanjet.net.asgi_host.fallback_app import FallbackApp
    from fanjet.net.router import Endpoint
    from fanjet.net.timing_wheel import TimingWheel
    from fanjet.node.node import Node
    from fanjet.node.rpc_methods import RPCMethod


@dataclass(frozen=True, slots=True)
class Additions:
    """`site`: more endpoints for the external listener, by path. `handlers`: who answers events, with the names of
    headers that events show. `rpc_methods`: what the server API's `rpc` calls. `fallback_app`: the ASGI app that
    has the rest of the external requests. `host`: the ASGI server that listens in place of the external listener.
    `take_node` is given the node, for the program to call the server API in."""

    site: Mapping[str, Endpoint] = field(default_factory=dict)
    handlers: Handlers | None = None
    headers: Collection[str] = ()
    emulated_headers: Collection[str] = ()
    rpc_methods: Mapping[str, RPCMethod] = field(default_factory=dict)
    fallback_app: FallbackApp | None = None
    host: AsgiApp | None = None
    take_node: Callable[[Node], None] = lambda _: None

    def events(self, proxies: ClientEvents) -> ClientEvents:
        """Whom connections ask: the handlers, and for the rest the proxies."""
        if self.handlers is None:
            return proxies
        return HandlerEvents(self.handlers, proxies, headers=self.headers, emulated_headers=self.emulated_headers)

    def channel(self, channel: Channel) -> Channel:
        """The configuration of channels with what the handlers make of it. Raises `ConfigError` for a handler that
        belongs nowhere."""
        if self.handlers is None:
            return channel
        try:
            return self.handlers.with_handlers(channel)
        except ValueError as error:
            raise ConfigError(str(error)) from None

    async def start(self, wheel: TimingWheel) -> None:
        """Before connections are accepted. Raises `StartupFailed`."""
        if self.fallback_app is not None:
            await self.fallback_app.start(wheel)

    def close(self) -> None:
        """No more connections are accepted."""
        if self.fallback_app is not None:
            self.fallback_app.close()

    def cancel_requests(self) -> None:
        """Wait no longer for what handlers and the application do."""
        if self.handlers is not None:
            self.handlers.tasks.cancel()
        if self.fallback_app is not None:
            self.fallback_app.cancel()

    async def stop(self) -> None:
        """After the last connection has ended."""
        if self.fallback_app is not None:
            await self.fallback_app.stop()


NOTHING: Final = Additions()
