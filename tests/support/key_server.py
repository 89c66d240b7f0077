"""A web server that publishes key sets, and does what such servers do when they fail."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from tests.support.signers import JWK

PATH = "/jwks.json"


class KeyServer:
    """Answers every path with its document. `requests` are the paths that were asked for, in order."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.statuses: list[int] = []
        """What to answer with next, before it is 200 again."""
        self.silent = False
        """Whether to let requests wait."""
        self.base = ""

    @property
    def url(self) -> str:
        """The address of the set that `publish` writes."""
        return self.base + PATH

    def publish(self, *keys: JWK, path: str = PATH) -> None:
        """Replace a set."""
        self.documents[path] = json.dumps({"keys": keys}).encode()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if self.silent:
            await asyncio.sleep(3600)
        status = self.statuses.pop(0) if self.statuses else 200
        if request.path == "/moved":
            raise web.HTTPFound(PATH)
        if status != 200 or request.path not in self.documents:
            return web.Response(status=status if status != 200 else 404)
        return web.Response(body=self.documents[request.path])


@asynccontextmanager
async def key_server(*keys: JWK, tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[KeyServer]:
    """Run a server that publishes these keys."""
    server = KeyServer()
    server.publish(*keys)
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    runner: Any = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
        port = runner.addresses[0][1]
        server.base = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
        yield server
    finally:
        await runner.cleanup()
