"""What goes to a host: one message at a time, without a task as long as the host takes each at once."""

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
    """Whose messages they are."""

    def on_blocked(self) -> None:
        """The host has not taken a message yet, and what is put behind it waits in memory."""

    def on_writable(self) -> None:
        """The host has taken everything."""

    def on_refused(self) -> None:
        """The host takes no more: the client has gone. Called in a turn of its own."""


class MessageSender:
    """Messages on their way to the host."""

    __slots__ = ("_closed", "_send", "_sender", "_task", "_waiting", "blocked")

    blocked: bool
    """Whether something waits for the host."""

    def __init__(self, send: Send, sender: SendObserver) -> None:
        self._send = send
        self._sender: SendObserver | None = sender
        self._waiting: deque[Message] = deque()
        self._task: asyncio.Task[None] | None = None
        self.blocked = False
        self._closed = False

    def put(self, message: Message) -> None:
        """Send, or queue behind what the host has not taken yet; nothing after `close`."""
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
        """Take nothing more, and report nothing more: what waits is still sent."""
        self._closed = True
        self._sender = None

    def abort(self) -> None:
        """Send no more, not even what waits."""
        self.close()
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    async def finish(self) -> None:
        """Wait until the host has taken what waits."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _send_all(self) -> None:
        waiting = self._waiting
        try:
            while waiting:
                await self._send(waiting.popleft())
        except Exception as error:  # each host has its own way to say that the client has gone
            log.debug("host takes no more: %r", error)
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
