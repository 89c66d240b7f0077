"""The ASGI lifespan of the hosted application."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from .types import ProtocolMisuse

if TYPE_CHECKING:
    from .types import Application, Message

log = logging.getLogger(__name__)


class StartupFailed(RuntimeError):  # noqa: N818 (says what has happened)
    """The application failed to start; the text is its own."""


class Lifespan:
    """Sends lifespan events to an application that supports them."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self.state: dict[str, Any] = {}
        """The state that the application stores for every scope."""
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when the application has started, or does not support lifespan.

        Raises `StartupFailed`.
        """
        self._events, self._answers = asyncio.Queue(), asyncio.Queue()
        self._task = asyncio.create_task(self._run())
        self._events.put_nowait({"type": "lifespan.startup"})
        answer = await self._answers.get()
        if answer is not None and answer["type"] == "lifespan.startup.failed":
            raise StartupFailed(answer.get("message", ""))

    async def stop(self) -> None:
        """Return when the application has shut down."""
        task, self._task = self._task, None
        if task is None or task.done():
            return
        self._events.put_nowait({"type": "lifespan.shutdown"})
        answer = await self._answers.get()
        if answer is not None and answer["type"] == "lifespan.shutdown.failed":
            log.error("application failed to shut down: %s", answer.get("message", ""))
        await asyncio.wait({task}, timeout=1)
        task.cancel()

    async def _send(self, message: Message) -> None:
        if not message["type"].startswith("lifespan."):
            raise ProtocolMisuse(f"{message['type']} does not belong to the lifespan")
        self._answers.put_nowait(message)

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._application(scope, self._events.get, self._send)
        except Exception as error:  # applications without lifespan support raise
            log.debug("application without lifespan: %r", error)
        finally:
            self._answers.put_nowait(None)
