"""The process that owns the memory engine of all workers."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Final

from .engine import Engine
from .worker import WorkerConnection

if TYPE_CHECKING:
    import socket

    from fanjet.config import Config

BACKLOG: Final = 128


async def serve(listening: socket.socket, config: Config) -> None:
    """Serve workers on a Unix socket that is bound, until cancelled. Its file stays."""
    engine = Engine(history_meta_ttl=int(config.channel.history_meta_ttl))
    await engine.start()
    loop = asyncio.get_running_loop()
    keep_file: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
    server = await loop.create_unix_server(
        lambda: WorkerConnection(engine), sock=listening, backlog=BACKLOG, **keep_file
    )
    try:
        await loop.create_future()
    finally:
        server.close()
        await engine.close()
