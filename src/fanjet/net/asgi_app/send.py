"""Sends messages to the ASGI server in order, without a task unless it blocks."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Protocol

from ..aio import begin

if TYPE_CHECKING:
    from ..asgi_host.types import Message, Send

log = logging.getLogger(__name__)


class SendObserver(Protocol):
    """The sender of the messages."""

    def on_blocked(self) -> None:
        """The ASGI server blocks; further messages are buffered in memory."""

    def on_writable(self) -> None:
        """The ASGI server has accepted everything."""

    def on_refused(self) -> None:
        """The client has disconnected. Called in a separate turn of the event loop."""


class MessageSender:
    """The queue of messages to the ASGI server."""

    __slots__ = ("_closed", "_send", "_sender", "_task", "_waiting", "blocked")

    blocked: bool
    """Whether messages are queued."""

    def __init__(self, send: Send, sender: SendObserver) -> None:
        self._send = send
        self._sender: SendObserver | None = sender
        self._waiting: deque[Message] = deque()
        self._task: asyncio.Task[None] | None = None
        self.blocked = False
        self._closed = False

    def put(self, message: Message) -> None:
        """Send, or queue behind pending messages; ignored after `close`."""
        if self._closed:
            return
        self._waiting.append(message)
        if self._task is None:
            task, ended, _ = begin(self._send_all())
            if not ended and not self._closed:
                self._task = task
                self.blocked = True
                if self._sender is not None:
                    self._sender.on_blocked()

    def close(self) -> None:
        """Accept and report nothing more; queued messages are still sent."""
        self._closed = True
        self._sender = None

    def abort(self) -> None:
        """Close and drop the queue."""
        self.close()
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    async def finish(self) -> None:
        """Wait until the queue is sent."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _send_all(self) -> None:
        waiting = self._waiting
        try:
            while waiting:
                await self._send(waiting.popleft())
        except Exception as error:  # ASGI servers raise different errors when the client has disconnected
            log.debug("ASGI server accepts no more messages: %r", error)
            waiting.clear()
            self._closed = True
            if self._sender is not None:
                asyncio.get_running_loop().call_soon(self._sender.on_refused)
        finally:
            self._task = None
        if self.blocked:
            self.blocked = False
            if self._sender is not None:
                self._sender.on_writable()
