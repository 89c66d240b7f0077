"""Where the sockets that listeners listen on come from."""

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
    """Bound sockets, perhaps listening already, and where they are bound, for people."""

    sockets: list[socket.socket]
    where: str


class SocketProvider(Protocol):
    """Gives out bound sockets; whoever gets them closes them. Every call may raise `BindError`."""

    others: PeerProcesses | None
    """Other processes that have sockets on the same addresses."""

    def tcp(self, name: str, host: str, port: int) -> BoundSockets:
        """For the listener of this name: what was passed for it, else `host` (empty: every interface) and `port` (0:
        any)."""

    def udp(self, beside: socket.socket) -> socket.socket:
        """For the address of a TCP socket."""

    def unix(self, name: str, path: str, mode: int) -> BoundSockets:
        """What was passed for the listener of this name, and the file at `path` (empty: none) with these
        permissions."""

    def reject_unused(self) -> None:
        """Everybody has what they want: raise `BindError` for sockets that were passed for nobody."""

    def remove_files(self) -> None:
        """Remove the files of Unix sockets that were made here."""


class LocalSocketProvider:
    """What this process was passed, or else binds itself."""

    def __init__(self, passed: PassedSockets) -> None:
        self.others: PeerProcesses | None = None
        self._passed = passed
        self._files: list[SocketFile] = []

    def tcp(self, name: str, host: str, port: int) -> BoundSockets:
        """As `SocketProvider` has it."""
        sockets = self._passed.take(name, host, port)
        if sockets:
            return BoundSockets(sockets, ", ".join(map(bound_address, sockets)))
        return BoundSockets(bind_tcp(host, port), join_address(host, port))

    def udp(self, beside: socket.socket) -> socket.socket:
        """As `SocketProvider` has it."""
        return bind_beside(beside)

    def unix(self, name: str, path: str, mode: int) -> BoundSockets:
        """As `SocketProvider` has it."""
        sockets = self._passed.take_unix(name, path)
        if path and not any(each.getsockname() == path for each in sockets):
            sockets.append(bind_unix(path, mode))
            self._files.append(SocketFile(path))
        return BoundSockets(sockets, ", ".join(map(bound_address, sockets)))

    def reject_unused(self) -> None:
        """As `SocketProvider` has it."""
        self._passed.reject_unused()

    def remove_files(self) -> None:
        """As `SocketProvider` has it."""
        for file in self._files:
            file.remove()
