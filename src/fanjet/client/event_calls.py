"""Asking the application on behalf of a connection (06 §3, §4.5)."""

from __future__ import annotations

from asyncio import CancelledError, current_task
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fanjet.protocol.codes import DISCONNECT_CONNECTION_CLOSED, Disconnected

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Generator

    from fanjet.protocol.codes import Disconnect

    from .session import Session

T = TypeVar("T")

INLINE_TRANSPORTS = frozenset({"websocket", "uni_websocket"})
"""Where commands come over the connection itself: while one asks, the connection is neither read nor closed. The others
notice a close at once."""


class Asking:
    """The questions of one connection that wait for answers, and the close that waits with them."""

    __slots__ = ("held", "inline", "questions")

    def __init__(self) -> None:
        self.questions: set[_Question[Any]] = set()
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
        for question in self.questions:
            question.give_up()


class _Question(Generic[T]):
    """A question that waits. It can be given up on its own, without the command, in whose task it is awaited: a task
    for it would cost a quarter of a call to a backend."""

    __slots__ = ("_awaited", "_coro", "_is_given_up")

    def __init__(self, coro: Coroutine[Any, Any, T], awaited: asyncio.Future[Any] | None) -> None:
        """`coro` has been stepped, and waits for `awaited`."""
        self._coro = coro
        self._awaited = awaited
        self._is_given_up = False

    def give_up(self) -> None:
        """Let `CancelledError` be raised in it where it waits."""
        self._is_given_up = self._awaited is None or not self._awaited.cancel()

    def __await__(self) -> Generator[Any, Any, T]:
        coro = self._coro
        try:
            while True:
                try:
                    sent = yield self._awaited
                except GeneratorExit:
                    coro.close()
                    raise
                except BaseException as error:
                    self._awaited = coro.throw(error)
                else:
                    self._awaited = coro.throw(CancelledError()) if self._is_given_up else coro.send(sent)
                self._is_given_up = False
        except StopIteration as finished:
            answer: T = finished.value
            return answer


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
    try:
        awaited = question.send(None)
    except StopIteration as answered:
        answer: T = answered.value
        return answer
    return await _wait(session, _Question(question, awaited), inline and session.transport.name in INLINE_TRANSPORTS)


async def _wait(session: Session, question: _Question[T], inline: bool) -> T:
    asking = session.asking
    if asking is None:
        asking = session.asking = Asking()
    asking.questions.add(question)
    asking.inline += inline
    try:
        return await question
    except CancelledError:
        task = current_task()
        if task is not None and task.cancelling():  # it is the command itself that has been cancelled
            raise
        raise Disconnected(DISCONNECT_CONNECTION_CLOSED) from None
    finally:
        asking.questions.discard(question)
        asking.inline -= inline
        if not asking.questions:
            session.asking = None
        if asking.held is not None and not asking.inline:
            session.disconnect(asking.held)
