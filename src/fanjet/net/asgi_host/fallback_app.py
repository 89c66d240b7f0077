"""An ASGI application that handles requests no endpoint matches."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from ..extended_connect import TunnelExchange
from ..http1.response import NO_SNIFFING, TEXT
from ..websocket.handshake import REFUSAL_HEADERS, handshake_error_status, tunnel_handshake_error_status
from .http import HttpCycle
from .lifespan import Lifespan
from .scope import http_scope, websocket_scope
from .websocket import WebSocketCycle

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..http1.exchange import Exchange
    from ..timing_wheel import TimingWheel
    from .types import Application, Receive, Scope, Send

log = logging.getLogger(__name__)


class FallbackApp:
    """Runs an application: one task per request and per WebSocket."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._lifespan = Lifespan(application)
        self._tasks: set[asyncio.Task[None]] = set()
        self._sockets: set[WebSocketCycle] = set()
        self._wheel: TimingWheel | None = None

    async def start(self, wheel: TimingWheel) -> None:
        """Start the application before the first request. Raises `StartupFailed`."""
        self._wheel = wheel
        await self._lifespan.start()

    def close(self) -> None:
        """Close the WebSockets at shutdown."""
        for socket in list(self._sockets):
            socket.shut_down()

    def cancel(self) -> None:
        """Cancel the running requests."""
        for task in self._tasks:
            task.cancel()

    async def stop(self) -> None:
        """Wait for running requests, then stop the application."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._lifespan.stop()

    async def forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a call received by ASGI."""
        state = {**scope.get("state", {}), **self._lifespan.state}
        await self._application({**scope, "state": state}, receive, send)

    def __call__(self, exchange: Exchange) -> None:
        """The endpoint."""
        request = exchange.request
        if isinstance(exchange, TunnelExchange) or request.headers.get(b"upgrade", b"").lower() == b"websocket":
            self._open_websocket(exchange)
        else:
            self._run(self._answer(exchange, HttpCycle(exchange)))

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, exchange: Exchange, cycle: HttpCycle) -> None:
        try:
            await self._application(http_scope(exchange.request, self._lifespan.state), cycle.receive, cycle.send)
        except asyncio.CancelledError:
            cycle.abort()
            return
        except Exception:
            log.exception("application failed", extra={"path": exchange.request.path})
        if not cycle.answered:
            exchange.respond(500, b"Internal Server Error", TEXT, (NO_SNIFFING,))
        elif not cycle.finished:
            cycle.abort()

    def _open_websocket(self, exchange: Exchange) -> None:
        """Start a WebSocket. Checking the origin is left to the application."""
        if isinstance(exchange, TunnelExchange):
            status = tunnel_handshake_error_status(exchange.request, exchange.protocol, _any_origin)
        else:
            status = handshake_error_status(exchange.request, _any_origin)
        if status is not None:
            exchange.respond(status, b"", TEXT, REFUSAL_HEADERS)
            return
        self._run(self._run_websocket(exchange))

    async def _run_websocket(self, exchange: Exchange) -> None:
        assert self._wheel is not None
        cycle = WebSocketCycle(exchange, self._wheel)
        self._sockets.add(cycle)
        scope = websocket_scope(exchange.request, self._lifespan.state)
        try:
            await self._application(scope, cycle.receive, cycle.send)
        except asyncio.CancelledError:
            pass
        except Exception:
            log.exception("application failed", extra={"path": exchange.request.path})
        finally:
            self._sockets.discard(cycle)
            cycle.fail()


def _any_origin(_origin: bytes | None) -> bool:
    return True
