"""Asking the application on behalf of a connection (06 §3, §4.5)."""

from __future__ import annotations

from asyncio import CancelledError
from typing import TYPE_CHECKING, Any, TypeVar

from fanjet.net.eager import run_eagerly
from fanjet.protocol.codes import DISCONNECT_CONNECTION_CLOSED, Disconnected

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

    from fanjet.protocol.codes import Disconnect

    from .session import Session

T = TypeVar("T")

INLINE_TRANSPORTS = frozenset({"websocket", "uni_websocket"})
"""Where commands come over the connection itself: while one asks, the connection is neither read nor closed. The others
notice a close at once."""


class Asking:
    """The questions of one connection that wait for answers, and the close that waits with them."""

    __slots__ = ("held", "inline", "tasks")

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self.inline = 0
        self.held: Disconnect | None = None

    def hold(self, disconnect: Disconnect) -> bool:
        """Whether the connection has to stay open until a question is answered; it ends with what came first."""
        if not self.inline:
            return False
        if self.held is None:
            self.held = disconnect
        return True

    def give_up(self) -> None:
        """The answers are of no use any more."""
        for task in self.tasks:
            task.cancel()


def about(session: Session) -> dict[str, Any]:
    """What every event tells about its connection."""
    opening = session.opening
    return {
        "client": session.client_id,
        "transport": session.transport.name,
        "protocol": session.transport.wire.codec.name,
        "user": session.user,
        "meta": session.meta,
        "labels": session.labels,
        "headers": opening.headers,
        "metadata": opening.metadata,
        "emulated_headers": opening.emulated_headers,
    }


async def ask(session: Session, question: Coroutine[Any, Any, T]) -> T:
    """Ask what a command depends on.

    Raises what the application does, and `Disconnected` 3000 when the connection ended first. It may have ended all the
    same when this returns: a close that had to wait takes effect right before.
    """
    return await _ask(session, question, inline=session.context.settings.concurrency == 1)


async def ask_first(session: Session, question: Coroutine[Any, Any, T]) -> T:
    """The same for a connect, during which nothing else ever runs."""
    return await _ask(session, question, inline=True)


async def ask_aside(session: Session, question: Coroutine[Any, Any, T]) -> T:
    """The same for what no command asks."""
    return await _ask(session, question, inline=False)


async def _ask(session: Session, question: Coroutine[Any, Any, T], *, inline: bool) -> T:
    outcome: list[tuple[T | None, BaseException | None]] = []
    task = run_eagerly(question, lambda result, error: outcome.append((result, error)))
    if task is not None:
        await _wait(session, task, inline=inline and session.transport.name in INLINE_TRANSPORTS)
    result, error = outcome.pop()
    try:
        if isinstance(error, CancelledError):
            raise Disconnected(DISCONNECT_CONNECTION_CLOSED)
        if error is not None:
            raise error
    finally:
        del error  # it holds this frame, and through the frames before a session
    return result  # type: ignore[return-value]  # without error there is a result


async def _wait(session: Session, task: asyncio.Task[None], *, inline: bool) -> None:
    asking = session.asking
    if asking is None:
        asking = session.asking = Asking()
    asking.tasks.add(task)
    asking.inline += inline
    try:
        await task
    finally:
        asking.tasks.discard(task)
        asking.inline -= inline
        if not asking.tasks:
            session.asking = None
        if asking.held is not None and not asking.inline:
            session.disconnect(asking.held)
