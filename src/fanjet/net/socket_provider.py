"""Provides the bound sockets of listeners: passed by systemd or bound here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from .binding import SocketFile, bind_beside, bind_tcp, bind_unix, bound_address, join_address

if TYPE_CHECKING:
    import socket

    from .http3.peer_processes import PeerProcesses
    from .systemd import PassedSockets


@dataclass(frozen=True, slots=True)
class BoundSockets:
    """Bound sockets, perhaps listening already, with their address for log lines."""

    sockets: list[socket.socket]
    where: str


class SocketProvider(Protocol):
    """Provides bound sockets; the caller closes them.

    Every call may raise `BindError`.
    """

    others: PeerProcesses | None
    """Other processes with sockets on the same addresses."""

    def tcp(self, name: str, host: str, port: int) -> BoundSockets:
        """Return the sockets passed for the listener `name`, else bind some.

        They are bound to `host` (empty: every interface) and `port` (0: any).
        """

    def udp(self, beside: socket.socket) -> socket.socket:
        """Return a UDP socket on the address of a TCP socket."""

    def unix(self, name: str, path: str, mode: int) -> BoundSockets:
        """Return the sockets of the listener `name`: those passed, and one bound here.

        That one is bound to the file `path` (empty: none) with the permissions `mode`.
        """

    def reject_unused(self) -> None:
        """Raise `BindError` if a passed socket was claimed by no listener."""

    def remove_files(self) -> None:
        """Remove the Unix socket files created here."""


class LocalSocketProvider:
    """Uses the sockets passed to this process and binds the missing ones."""

    def __init__(self, passed: PassedSockets) -> None:
        self.others: PeerProcesses | None = None
        self._passed = passed
        self._files: list[SocketFile] = []

    def tcp(self, name: str, host: str, port: int) -> BoundSockets:
        """See `SocketProvider`."""
        sockets = self._passed.take(name, host, port)
        if sockets:
            return BoundSockets(sockets, ", ".join(map(bound_address, sockets)))
        return BoundSockets(bind_tcp(host, port), join_address(host, port))

    def udp(self, beside: socket.socket) -> socket.socket:
        """See `SocketProvider`."""
        return bind_beside(beside)

    def unix(self, name: str, path: str, mode: int) -> BoundSockets:
        """See `SocketProvider`."""
        sockets = self._passed.take_unix(name, path)
        if path and not any(each.getsockname() == path for each in sockets):
            sockets.append(bind_unix(path, mode))
            self._files.append(SocketFile(path))
        return BoundSockets(sockets, ", ".join(map(bound_address, sockets)))

    def reject_unused(self) -> None:
        """See `SocketProvider`."""
        self._passed.reject_unused()

    def remove_files(self) -> None:
        """See `SocketProvider`."""
        for file in self._files:
            file.remove()
