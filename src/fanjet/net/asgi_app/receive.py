"""What comes from a host, until one of both has had enough."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..asgi_host.types import Message, Receive


class MessageReceiver:
    """Messages from the host. Waiting for the next can be broken off, so that a call which is over need not wait for
    its client to leave; a task for that would cost each idle connection some kilobytes."""

    __slots__ = ("_receive", "_stopped", "_waiting")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._waiting: asyncio.Task[None] | None = None
        self._stopped = False

    async def next(self) -> Message | None:
        """The next message; None when `stop` was called, now or before."""
        if self._stopped:
            return None
        task = self._waiting = asyncio.current_task()
        try:
            return await self._receive()
        except asyncio.CancelledError:
            # Ours, unless somebody else has cancelled the task, too.
            if not self._stopped or task is None or task.uncancel():
                raise
            return None
        finally:
            self._waiting = None

    def stop(self) -> None:
        """Wait for nothing more."""
        if not self._stopped:
            self._stopped = True
            if self._waiting is not None:
                self._waiting.cancel()
