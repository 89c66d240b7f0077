"""A worker as its supervisor sees it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Final

import msgspec

from .child import spawn
from .control_channel import Alive, Ask, Line, Ready, Reload, Report, Reported, Stop
from .role import WorkerPlace
from .socket_requests import decode_question

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .child import Child
    from .control_channel import Message
    from .engine import EngineKeeper
    from .role import PostPlace
    from .socket_owner import Keeper

MAX_QUESTION: Final = 65536


class WorkerGone(Exception):  # noqa: N818 (says what happened)
    """The worker has ended."""


class Worker:
    """One process (`watch.Watched`). `on_message` gets what is not answered here."""

    title = "worker"

    def __init__(self, number: int, keeper: Keeper, on_message: Callable[[Worker, Message], None]) -> None:
        self.number = number
        self.last_metrics = b""
        """What it has told of its metrics most recently."""
        self.unanswered = 0
        """See `Watched`."""
        self.is_dismissed = False
        """Whether it was ended before it had begun, as all are to end."""
        self._keeper = keeper
        self._on_message = on_message
        self._ready = asyncio.Event()
        self._line = Line(self._take, self._lost)
        self._line_ended = asyncio.Event()
        self._reports: dict[int, asyncio.Future[bytes]] = {}
        self._child: Child | None = None

    @property
    def details(self) -> Mapping[str, object]:
        """See `Watched`."""
        return {"number": self.number}

    @property
    def child(self) -> Child:
        """Its process, once it has been started."""
        if self._child is None:
            raise RuntimeError("the worker has not been started")
        return self._child

    @property
    def is_ready(self) -> bool:
        """Whether it has come to accept connections, and still runs and listens to this process."""
        return self._ready.is_set() and self._runs

    @property
    def is_starting(self) -> bool:
        """See `Watched`."""
        return not self._ready.is_set() and self._runs

    @property
    def _runs(self) -> bool:
        return self.child.running and not self._line_ended.is_set()

    async def start(self, environment: Mapping[str, str], engine: EngineKeeper | None, post: PostPlace) -> None:
        """Start it."""
        line, its_line = socket.socketpair()
        asking, its_asking = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._keeper.expect(self.number)
        path = "" if engine is None else engine.path
        place = WorkerPlace(self.number, its_line.fileno(), its_asking.fileno(), path, post)
        descriptors = [its_line.fileno(), its_asking.fileno()]
        if engine is not None:
            descriptors.append(engine.life)
        with its_line, its_asking:
            self._child = await spawn(place, environment, descriptors)
        line.setblocking(False)
        asking.setblocking(False)
        asyncio.get_running_loop().add_reader(asking, self._answer, asking)
        self._child.when_exited(lambda: _close(asking))
        await self._line.open(line)

    def _answer(self, asking: socket.socket) -> None:
        """Lend out the sockets that the worker asks for."""
        if self._keeper.is_closed:
            self.is_dismissed = True
            self.child.kill()
            return
        with contextlib.suppress(OSError):  # it has ended
            answer, sockets = self._keeper.answer(self.number, decode_question(asking.recv(MAX_QUESTION)))
            socket.send_fds(asking, [msgspec.msgpack.encode(answer)], [each.fileno() for each in sockets])

    async def came_up(self, within: float | None = None) -> bool:
        """Wait until it accepts connections. False: it has ended, or does not get there in so many seconds."""
        ready = asyncio.ensure_future(self._ready.wait())
        exited = asyncio.ensure_future(self.child.exited())
        await asyncio.wait((ready, exited), timeout=within, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        exited.cancel()
        return self.is_ready

    async def gone(self) -> None:
        """Wait until it has ended, and all that it said has come."""
        await self.child.exited()
        await self._line_ended.wait()

    def stop(self, *, replaced: bool = False) -> None:
        """Have it shut down. `replaced`: another one accepts in its place."""
        self._line.send(Stop(replaced))

    def reload(self) -> None:
        """Have it read its configuration again."""
        self._line.send(Reload())

    def ask(self) -> None:
        """Have it give a sign of life."""
        self.unanswered += 1
        self._line.send(Ask())

    def send(self, message: Message) -> None:
        """Tell it something."""
        self._line.send(message)

    async def report(self, number: int) -> bytes:
        """Its metrics as of now. Raises `WorkerGone` when it ends meanwhile."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._reports[number] = answer
        self._line.send(Report(number))
        try:
            return await answer
        finally:
            del self._reports[number]

    def _take(self, message: Message) -> None:
        if isinstance(message, Ready | Alive):
            self.unanswered = 0
            if isinstance(message, Ready):
                self._ready.set()
        elif isinstance(message, Reported):
            self.last_metrics = message.metrics
            asked = self._reports.get(message.number)
            if asked is not None and not asked.done():
                asked.set_result(message.metrics)
        else:
            self._on_message(self, message)

    def _lost(self) -> None:
        self._line_ended.set()
        for report in self._reports.values():
            if not report.done():
                report.set_exception(WorkerGone())


def _close(asking: socket.socket) -> None:
    asyncio.get_running_loop().remove_reader(asking)
    asking.close()
