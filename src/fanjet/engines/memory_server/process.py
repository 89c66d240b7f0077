"""The process of the memory engine that all workers share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from fanjet.telemetry.logging import get_logger

from .engine import Engine
from .handshake import send_descriptor
from .worker_connection import WorkerConnection

if TYPE_CHECKING:
    import socket

    from fanjet.config import Config

log = get_logger(__name__)

BACKLOG: Final = 128


async def serve(listening: socket.socket, config: Config) -> None:
    """Serve workers on a bound Unix socket until cancelled.

    Its file stays. The wakeup pipes of workers are beside it.
    """
    engine = Engine(pipe_prefix=f"{listening.getsockname()}.", history_meta_ttl=int(config.channel.history_meta_ttl))
    await engine.start()
    loop = asyncio.get_running_loop()
    listening.setblocking(False)
    listening.listen(BACKLOG)
    connecting: set[asyncio.Task[object]] = set()

    def accept() -> None:
        try:
            accepted, _ = listening.accept()
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                log.error("error accepting a worker", error=error)
            return
        accepted.setblocking(False)
        try:
            send_descriptor(accepted, engine.journal_descriptor)
        except OSError:  # the worker has disconnected
            accepted.close()
            return
        task = loop.create_task(loop.connect_accepted_socket(lambda: WorkerConnection(engine), accepted))
        connecting.add(task)
        task.add_done_callback(connecting.discard)

    loop.add_reader(listening, accept)
    try:
        await engine.failed
    finally:
        loop.remove_reader(listening)
        listening.close()
        await engine.close()
