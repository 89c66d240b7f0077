"""ASGI servers in the test's process and event loop, with an application on a free port."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import hypercorn
import hypercorn.asyncio
import uvicorn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    Hosting = Callable[..., AbstractAsyncContextManager[int]]


@asynccontextmanager
async def uvicorn_with(application: Any, **how: Any) -> AsyncIterator[int]:
    """Serve by uvicorn; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(application, log_config=None, access_log=False, **how)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve([listening]))  # `serve` is the same, and takes the signals
        async with asyncio.timeout(10):
            while not (server.started or serving.done()):  # noqa: ASYNC110 (there is no event for it)
                await asyncio.sleep(0.005)
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def plain_uvicorn_with(application: Any) -> AsyncIterator[int]:
    """Serve by uvicorn's pure Python implementation."""
    async with uvicorn_with(application, http="h11", ws="wsproto") as port:
        yield port


@asynccontextmanager
async def hypercorn_with(application: Any) -> AsyncIterator[int]:
    """Serve by hypercorn; yields the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    config = hypercorn.Config()
    config.bind = [f"fd://{listening.detach()}"]
    config.errorlog = None
    end = asyncio.Event()
    serving = asyncio.create_task(hypercorn.asyncio.serve(application, config, shutdown_trigger=end.wait))  # type: ignore[arg-type]
    try:
        yield port
    finally:
        end.set()
        await serving


HOSTS: dict[str, Hosting] = {"uvicorn": uvicorn_with, "plain-uvicorn": plain_uvicorn_with, "hypercorn": hypercorn_with}
