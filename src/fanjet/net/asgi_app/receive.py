"""Receives messages from the ASGI server, with cancellation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..asgi_host.types import Message, Receive


class MessageReceiver:
    """Wraps `receive`.

    Waiting can be stopped, so that a finished call does not wait for the client to disconnect; a task for that would
    cost each idle connection some kilobytes.
    """

    __slots__ = ("_receive", "_stopped", "_waiting")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._waiting: asyncio.Task[None] | None = None
        self._stopped = False

    async def next(self) -> Message | None:
        """The next message; None if `stop` was called."""
        if self._stopped:
            return None
        task = self._waiting = asyncio.current_task()
        try:
            return await self._receive()
        except asyncio.CancelledError:
            # Cancelled by `stop`, unless the task was cancelled from elsewhere as well.
            if not self._stopped or task is None or task.uncancel():
                raise
            return None
        finally:
            self._waiting = None

    def stop(self) -> None:
        """Stop waiting for messages."""
        if not self._stopped:
            self._stopped = True
            if self._waiting is not None:
                self._waiting.cancel()
