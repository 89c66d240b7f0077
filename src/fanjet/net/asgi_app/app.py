"""The ASGI application: dispatches calls to the server's endpoints."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ..http1.response import NO_SNIFFING, TEXT
from ..router import Route
from .http import HttpCall
from .scope import parse_scope
from .websocket import WebSocketCall

if TYPE_CHECKING:
    from ..asgi_host.fallback_app import FallbackApp
    from ..asgi_host.types import Receive, Scope, Send
    from ..http1.exchange import Exchange
    from ..router import Routes


class AsgiApp:
    """Replaces a listener when another ASGI server accepts the connections."""

    def __init__(self) -> None:
        self._routes: Routes | None = None
        self._fallback_app: FallbackApp | None = None
        self._open = False
        self._calls = 0
        self._emptied = asyncio.Event()

    def serve(self, routes: Routes, fallback_app: FallbackApp | None) -> None:
        """Set the routes; requests for `fallback_app` are forwarded unchanged."""
        self._routes = routes
        self._fallback_app = fallback_app

    async def start(self) -> None:
        """Start answering requests."""
        self._open = True

    def close(self) -> None:
        """Do nothing: the ASGI server stops accepting by itself.

        Requests until then are still answered.
        """

    async def stop(self) -> None:
        """Wait for running calls. Later ones are refused."""
        while self._calls:
            self._emptied.clear()
            await self._emptied.wait()
        self._open = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request or a WebSocket until it ends."""
        head = parse_scope(scope)
        route = self._routes.find(head) if self._open and self._routes is not None else _CLOSED
        if self._fallback_app is not None and route.endpoint is self._fallback_app:
            await self._fallback_app.forward(scope, receive, send)
            return
        kind = WebSocketCall if scope["type"] == "websocket" else HttpCall
        self._calls += 1
        try:
            await kind(scope, receive, send, head, route).run()
        finally:
            self._calls -= 1
            if not self._calls:
                self._emptied.set()


def _refuse(exchange: Exchange) -> None:
    exchange.respond(503, b"the server is shutting down\n", TEXT, (NO_SNIFFING,))


_CLOSED: Final = Route("", _refuse)
