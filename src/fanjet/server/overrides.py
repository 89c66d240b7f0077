"""Settings that an embedding program adds to the configuration.

Event handlers, routes and ASGI applications.
"""

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
class Overrides:
    """`extra_routes`: more endpoints for the external listener, by path.

    `handlers`: event handlers of the program. `headers`, `emulated_headers`: names of the headers that events contain.
    `rpc_methods`: methods of the server API's `rpc`. `fallback_app`: the ASGI application for external requests that
    match no endpoint. `host`: the ASGI server that listens in place of the external listener. `on_node_created` gets
    the node, so that the program can call the server API.
    """

    extra_routes: Mapping[str, Endpoint] = field(default_factory=dict)
    handlers: Handlers | None = None
    headers: Collection[str] = ()
    emulated_headers: Collection[str] = ()
    rpc_methods: Mapping[str, RPCMethod] = field(default_factory=dict)
    fallback_app: FallbackApp | None = None
    host: AsgiApp | None = None
    on_node_created: Callable[[Node], None] = lambda _: None

    def events(self, proxies: ClientEvents) -> ClientEvents:
        """The events for connections.

        They are handled by the handlers, and by the proxies where there is no handler.
        """
        if self.handlers is None:
            return proxies
        return HandlerEvents(self.handlers, proxies, headers=self.headers, emulated_headers=self.emulated_headers)

    def channel(self, channel: Channel) -> Channel:
        """The configuration of channels with the handlers enabled.

        Raises `ConfigError` for a handler of an unknown namespace.
        """
        if self.handlers is None:
            return channel
        try:
            return self.handlers.with_handlers(channel)
        except ValueError as error:
            raise ConfigError(str(error)) from None

    async def start(self, wheel: TimingWheel) -> None:
        """Start the fallback application, before connections are accepted.

        Raises `StartupFailed`.
        """
        if self.fallback_app is not None:
            await self.fallback_app.start(wheel)

    def close(self) -> None:
        """Stop accepting connections."""
        if self.fallback_app is not None:
            self.fallback_app.close()

    def cancel_requests(self) -> None:
        """Cancel running handlers and requests to the application."""
        if self.handlers is not None:
            self.handlers.tasks.cancel()
        if self.fallback_app is not None:
            self.fallback_app.cancel()

    async def stop(self) -> None:
        """Stop the fallback application, after the last connection has ended."""
        if self.fallback_app is not None:
            await self.fallback_app.stop()


NO_OVERRIDES: Final = Overrides()
