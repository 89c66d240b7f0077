"""A worker's end of the line to its supervisor."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from fanjet.telemetry.logging import get_logger

from .control_channel import Alive, Ask, Gather, Gathered, Line, Ready, Reload, Report, Reported, Stop
from .datagram_forwarding import Post
from .socket_requests import KeptAddresses

if TYPE_CHECKING:
    from collections.abc import Callable

    from .control_channel import Message
    from .role import Worker

GATHER_SECONDS: Final = 10.0

log = get_logger(__name__)


class SupervisorLost(Exception):  # noqa: N818 (says what happened)
    """The supervisor does not answer."""


class Link:
    """What a worker gets from its supervisor, and tells it."""

    def __init__(self, place: Worker) -> None:
        self.number = place.number
        self.engine = place.engine
        """Path of the socket of the process that keeps what would be in memory; empty: there is none."""
        self._post = Post(place.post.folder, place.post.number, place.post.key)
        self.addresses = KeptAddresses(place.keeper, self._post)
        self._place = place
        self._line = Line(self._take, self._lost)
        self._stop: Callable[[], None] = lambda: None
        self._reload: Callable[[], None] = lambda: None
        self._metrics: Callable[[], bytes] = bytes
        self._gathering: dict[int, asyncio.Future[list[bytes]]] = {}
        self._last_number = 0
        self._is_orphan = False
        """Whether the supervisor is no more."""

    async def open(self, *, stop: Callable[[], None], reload: Callable[[], None], metrics: Callable[[], bytes]) -> None:
        """Listen to the supervisor. `stop` is called when it wants that, and when it is no more."""
        self._stop, self._reload, self._metrics = stop, reload, metrics
        self._place.line.setblocking(False)
        await self._line.open(self._place.line)

    def notify_ready(self) -> None:
        """Connections are accepted."""
        self._line.send(Ready())

    def close(self) -> None:
        """Leave the last metrics behind, so that what was counted stays counted, and hang up."""
        self._line.send(Reported(0, self._metrics()))
        self._line.close()
        if self._is_orphan:
            self._post.remove_folder()

    async def gather(self) -> list[bytes]:
        """The metrics of all processes. Raises `SupervisorLost`."""
        self._last_number += 1
        number = self._last_number
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[bytes]] = loop.create_future()
        self._gathering[number] = answer
        patience = loop.call_later(GATHER_SECONDS, self._give_up, answer)
        self._line.send(Gather(number))
        try:
            return await answer
        finally:
            patience.cancel()
            del self._gathering[number]

    def _give_up(self, answer: asyncio.Future[list[bytes]]) -> None:
        if not answer.done():
            answer.set_exception(SupervisorLost("the supervisor does not answer"))

    def _take(self, message: Message) -> None:
        if isinstance(message, Ask):
            self._line.send(Alive())
        elif isinstance(message, Stop):
            self._post.replaced = message.replaced
            self._stop()
        elif isinstance(message, Reload):
            self._reload()
        elif isinstance(message, Report):
            self._line.send(Reported(message.number, self._metrics()))
        elif isinstance(message, Gathered):
            answer = self._gathering.get(message.number)
            if answer is not None and not answer.done():
                answer.set_result(message.parts)

    def _lost(self) -> None:
        self._is_orphan = True
        self._stop()
