"""The sockets of all workers, bound by their supervisor.

Each worker has TCP and UDP sockets of its own on the common addresses, among which the kernel shares out the clients
(`SO_REUSEPORT`). They stay open here while a worker is replaced: those who wait in the queue of its socket are accepted
by the next one, instead of being reset.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias

from fanjet.net.binding import BindError, SocketFile, bind_beside, bind_tcp, bind_unix, bound_address, join_address
from fanjet.net.socket_provider import BoundSockets

from .socket_requests import Answer, Tcp, Udp, Unix

if TYPE_CHECKING:
    import socket

    from fanjet.net.systemd import PassedSockets

    from .socket_requests import Question

    Key: TypeAlias = Tcp | Udp | Unix


class Keeper:
    """Answers what workers ask for, by their numbers."""

    def __init__(self, passed: PassedSockets) -> None:
        self._passed = passed
        self._common: dict[Key, BoundSockets] = {}
        """What all workers accept from: what was passed, and Unix sockets."""
        self._own: defaultdict[int, dict[Key, BoundSockets]] = defaultdict(dict)
        self._asked: defaultdict[int, set[Key]] = defaultdict(set)
        self._files: dict[Unix, SocketFile] = {}
        self.is_closed = False
        """Whether nothing is bound any more."""

    def answer(self, worker: int, question: Question) -> tuple[Answer, list[socket.socket]]:
        """The answer, and the sockets to go with it."""
        try:
            bound = self._bound(worker, question)
        except BindError as error:
            return Answer(error=str(error)), []
        return Answer(bound.where), bound.sockets

    def _bound(self, worker: int, question: Question) -> BoundSockets:
        """Raises `BindError`."""
        if not isinstance(question, Tcp | Udp | Unix):
            self._passed.reject_unused()
            return BoundSockets([], "")
        self._asked[worker].add(question)
        bound = self._common.get(question) or self._own[worker].get(question)
        if bound is not None:
            return bound
        if isinstance(question, Tcp):
            return self._bind_tcp(worker, question)
        if isinstance(question, Udp):
            return self._bind_udp(worker, question)
        return self._bind_unix(question)

    def _bind_tcp(self, worker: int, wanted: Tcp) -> BoundSockets:
        passed = self._passed.take(wanted.name, wanted.host, wanted.port)
        if passed:
            return self._share(wanted, BoundSockets(passed, ", ".join(map(bound_address, passed))))
        others = self._of_others(wanted)
        port = wanted.port
        if others is not None:
            port = others.sockets[0].getsockname()[1]
        else:
            _require_free(wanted.host, port)
        bound = BoundSockets(bind_tcp(wanted.host, port, shared=True), join_address(wanted.host, wanted.port))
        self._own[worker][wanted] = bound
        return bound

    def _bind_udp(self, worker: int, wanted: Udp) -> BoundSockets:
        beside = self._tcp_at(worker, wanted)
        if self._of_others(wanted) is None:
            bind_beside(beside).close()  # fails where another program listens
        bound = BoundSockets([bind_beside(beside, shared=True)], join_address(wanted.host, wanted.port))
        self._own[worker][wanted] = bound
        return bound

    def _bind_unix(self, wanted: Unix) -> BoundSockets:
        sockets = self._passed.take_unix(wanted.name, wanted.path)
        if wanted.path and not any(each.getsockname() == wanted.path for each in sockets):
            sockets.append(bind_unix(wanted.path, wanted.mode))
            self._files[wanted] = SocketFile(wanted.path)
        return self._share(wanted, BoundSockets(sockets, ", ".join(map(bound_address, sockets))))

    def _share(self, wanted: Key, bound: BoundSockets) -> BoundSockets:
        self._common[wanted] = bound
        return bound

    def _of_others(self, wanted: Key) -> BoundSockets | None:
        return next((held[wanted] for held in self._own.values() if wanted in held), None)

    def _tcp_at(self, worker: int, wanted: Udp) -> socket.socket:
        for held in (self._own[worker], self._common):
            for key, bound in held.items():
                for each in bound.sockets if isinstance(key, Tcp) else ():
                    if each.getsockname()[:2] == (wanted.host, wanted.port):
                        return each
        raise BindError(f"nothing is bound to {join_address(wanted.host, wanted.port)}")

    # ------------------------------------------------------------------------------------------ letting go

    def expect(self, worker: int) -> None:
        """A new process is going to ask in this worker's place."""
        self._asked[worker].clear()

    def drop_unasked(self, worker: int) -> None:
        """Close what the process in this worker's place has not asked for: the one before has gone. Unix sockets, if
        no worker has."""
        held = self._own[worker]
        for key in [key for key in held if key not in self._asked[worker]]:
            _close(held.pop(key))
        wanted = set().union(*self._asked.values())
        for unix in [unix for unix in self._files if unix not in wanted]:
            _close(self._common.pop(unix))
            self._files.pop(unix).remove()

    def let_go(self, worker: int) -> None:
        """Close this worker's own sockets: nobody will accept for a while, so that others have to."""
        for bound in self._own.pop(worker, {}).values():
            _close(bound)

    def close(self) -> None:
        """Close everything, and remove the files of Unix sockets. Who asks from now on has come too late."""
        self.is_closed = True
        for worker in list(self._own):
            self.let_go(worker)
        for bound in self._common.values():
            _close(bound)
        self._common.clear()
        for file in self._files.values():
            file.remove()


def _require_free(host: str, port: int) -> None:
    """Raise `BindError` where another program listens. The kernel would let us join one of the same user that has
    bound the address as we do: a second server of ours, started by mistake."""
    for each in bind_tcp(host, port):
        each.close()


def _close(bound: BoundSockets) -> None:
    for each in bound.sockets:
        each.close()
