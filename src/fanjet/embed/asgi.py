"""A server as an ASGI application.

For programs where another server listens (uvicorn, hypercorn, daphne).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanjet.net.asgi_app.app import AsgiApp
    from fanjet.net.asgi_host.types import Receive, Scope, Send

    from .server import Server


class AsgiApplication:
    """The ASGI application that `Server.asgi` returns.

    The server starts and stops with the lifespan of the host. Where an application gets no lifespan events (with
    daphne, or mounted in Starlette), the program may use `async with server`; else the first request starts the server.
    """

    def __init__(self, server: Server, host: AsgiApp) -> None:
        self._server = server
        self._host = host
        self._starting = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection.

        Raises the errors of `Server.start`, and `RuntimeError` in another event loop than the server's.
        """
        if scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)
        elif scope["type"] in ("http", "websocket"):
            await self._require_running()
            await self._host(scope, receive, send)
        else:
            raise ValueError(f"unsupported ASGI scope type {scope['type']!r}: Fanjet handles http and websocket")

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._server.start()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": f"Fanjet cannot start: {error}"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            await self._server.stop()
        except TimeoutError:
            await send({"type": "lifespan.shutdown.failed", "message": "Fanjet did not end within shutdown.timeout"})
        else:
            await send({"type": "lifespan.shutdown.complete"})

    async def _require_running(self) -> None:
        loop = self._server.loop
        if loop is asyncio.get_running_loop() or self._server.is_ending:
            return
        if loop is not None:
            raise RuntimeError(
                "Fanjet runs in another event loop (with Starlette's TestClient, use `with TestClient(app)`)"
            )
        async with self._starting:
            if self._server.loop is None:
                await self._server.start()
