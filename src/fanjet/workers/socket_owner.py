"""Listening sockets, bound by the supervisor and passed to workers.

Each worker has TCP and UDP sockets of its own on the common addresses, among which the kernel shares out the clients
(`SO_REUSEPORT`). They stay open here while a worker is replaced: those who wait in the queue of its socket are accepted
by the next one, instead of being reset.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias

from fanjet.net.binding import BindError, SocketFile, bind_beside, bind_tcp, bind_unix, bound_address, join_address
from fanjet.net.socket_provider import BoundSockets

from .socket_requests import SocketReply, Tcp, Udp, Unix

if TYPE_CHECKING:
    import socket

    from fanjet.net.systemd import PassedSockets

    from .socket_requests import SocketRequest

    Key: TypeAlias = Tcp | Udp | Unix


class ListeningSockets:
    """The sockets of all workers, by worker number."""

    def __init__(self, passed: PassedSockets) -> None:
        self._passed = passed
        self._shared: dict[Key, BoundSockets] = {}
        """Sockets that all workers share: those passed by the service manager, and Unix sockets."""
        self._per_worker: defaultdict[int, dict[Key, BoundSockets]] = defaultdict(dict)
        self._requested: defaultdict[int, set[Key]] = defaultdict(set)
        self._files: dict[Unix, SocketFile] = {}
        self.is_closed = False
        """Whether all sockets have been closed."""

    def handle(self, worker: int, request: SocketRequest) -> tuple[SocketReply, list[socket.socket]]:
        """The reply to a worker's request, and the sockets to send with it."""
        try:
            bound = self._bound(worker, request)
        except BindError as error:
            return SocketReply(error=str(error)), []
        return SocketReply(bound.where), bound.sockets

    def _bound(self, worker: int, request: SocketRequest) -> BoundSockets:
        """Raises `BindError`."""
        if not isinstance(request, Tcp | Udp | Unix):
            self._passed.reject_unused()
            return BoundSockets([], "")
        self._requested[worker].add(request)
        bound = self._shared.get(request) or self._per_worker[worker].get(request)
        if bound is not None:
            return bound
        if isinstance(request, Tcp):
            return self._bind_tcp(worker, request)
        if isinstance(request, Udp):
            return self._bind_udp(worker, request)
        return self._bind_unix(request)

    def _bind_tcp(self, worker: int, wanted: Tcp) -> BoundSockets:
        passed = self._passed.take(wanted.name, wanted.host, wanted.port)
        if passed:
            return self._share(wanted, BoundSockets(passed, ", ".join(map(bound_address, passed))))
        others = self._of_other_worker(wanted)
        port = wanted.port
        if others is not None:
            port = others.sockets[0].getsockname()[1]
        else:
            _require_free(wanted.host, port)
        bound = BoundSockets(bind_tcp(wanted.host, port, shared=True), join_address(wanted.host, wanted.port))
        self._per_worker[worker][wanted] = bound
        return bound

    def _bind_udp(self, worker: int, wanted: Udp) -> BoundSockets:
        beside = self._tcp_at(worker, wanted)
        if self._of_other_worker(wanted) is None:
            bind_beside(beside).close()  # fails where another program listens
        bound = BoundSockets([bind_beside(beside, shared=True)], join_address(wanted.host, wanted.port))
        self._per_worker[worker][wanted] = bound
        return bound

    def _bind_unix(self, wanted: Unix) -> BoundSockets:
        sockets = self._passed.take_unix(wanted.name, wanted.path)
        if wanted.path and not any(each.getsockname() == wanted.path for each in sockets):
            sockets.append(bind_unix(wanted.path, wanted.mode))
            self._files[wanted] = SocketFile(wanted.path)
        return self._share(wanted, BoundSockets(sockets, ", ".join(map(bound_address, sockets))))

    def _share(self, wanted: Key, bound: BoundSockets) -> BoundSockets:
        self._shared[wanted] = bound
        return bound

    def _of_other_worker(self, wanted: Key) -> BoundSockets | None:
        return next((held[wanted] for held in self._per_worker.values() if wanted in held), None)

    def _tcp_at(self, worker: int, wanted: Udp) -> socket.socket:
        for held in (self._per_worker[worker], self._shared):
            for key, bound in held.items():
                for each in bound.sockets if isinstance(key, Tcp) else ():
                    if each.getsockname()[:2] == (wanted.host, wanted.port):
                        return each
        raise BindError(f"nothing is bound to {join_address(wanted.host, wanted.port)}")

    # ------------------------------------------------------------------------------------------ closing

    def begin_requests(self, worker: int) -> None:
        """A new process of this worker starts to request its sockets."""
        self._requested[worker].clear()

    def close_unrequested(self, worker: int) -> None:
        """Close the sockets that no running process has requested.

        These are the sockets of this worker that its present process has not requested, since the one before has
        exited, and the Unix sockets that no worker has requested.
        """
        held = self._per_worker[worker]
        for key in [key for key in held if key not in self._requested[worker]]:
            _close(held.pop(key))
        wanted = set().union(*self._requested.values())
        for unix in [unix for unix in self._files if unix not in wanted]:
            _close(self._shared.pop(unix))
            self._files.pop(unix).remove()

    def close_worker(self, worker: int) -> None:
        """Close this worker's own sockets, since it will not accept for a while.

        Clients connect to other workers.
        """
        for bound in self._per_worker.pop(worker, {}).values():
            _close(bound)

    def close(self) -> None:
        """Close all sockets, and remove the files of Unix sockets.

        Later requests come too late.
        """
        self.is_closed = True
        for worker in list(self._per_worker):
            self.close_worker(worker)
        for bound in self._shared.values():
            _close(bound)
        self._shared.clear()
        for file in self._files.values():
            file.remove()


def _require_free(host: str, port: int) -> None:
    """Raise `BindError` where another program listens.

    With `SO_REUSEPORT` the kernel would let a second server of the same user, started by mistake, share the address.
    """
    for each in bind_tcp(host, port):
        each.close()


def _close(bound: BoundSockets) -> None:
    for each in bound.sockets:
        each.close()
