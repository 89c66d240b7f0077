"""Protocol by which workers get listening sockets from the supervisor.

Its messages are datagrams that carry descriptors.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from fanjet.net.binding import BindError
from fanjet.net.socket_provider import BoundSockets

if TYPE_CHECKING:
    from fanjet.net.http3.peer_processes import PeerProcesses

MAX_REPLY: Final = 65536
MAX_SOCKETS: Final = 64
REPLY_TIMEOUT: Final = 30.0
"""Seconds that a worker waits for an reply."""


class Tcp(msgspec.Struct, frozen=True, tag="tcp"):
    """As `SocketProvider.tcp`."""

    name: str
    host: str
    port: int


class Udp(msgspec.Struct, frozen=True, tag="udp"):
    """As `SocketProvider.udp`, beside the TCP socket that is bound there."""

    host: str
    port: int


class Unix(msgspec.Struct, frozen=True, tag="unix"):
    """As `SocketProvider.unix`."""

    name: str
    path: str
    mode: int


class RefuseRest(msgspec.Struct, frozen=True, tag="rest"):
    """As `SocketProvider.reject_unused`."""


SocketRequest: TypeAlias = Tcp | Udp | Unix | RefuseRest


class SocketReply(msgspec.Struct, frozen=True):
    """The bound address of the sockets that come with it, or an error."""

    where: str = ""
    error: str = ""


_request_decoder: Final = msgspec.msgpack.Decoder(SocketRequest)
_reply_decoder: Final = msgspec.msgpack.Decoder(SocketReply)


def decode_request(data: bytes) -> SocketRequest:
    """Decode the request of a worker."""
    request: SocketRequest = _request_decoder.decode(data)
    return request


class SupervisorSockets:
    """Gets listening sockets for a worker from the supervisor.

    The supervisor binds them (`net.socket_provider.SocketProvider`). Requests block, so they are made only at startup.
    """

    def __init__(self, supervisor: socket.socket, others: PeerProcesses) -> None:
        self.others: PeerProcesses | None = others
        self._supervisor = supervisor
        supervisor.settimeout(REPLY_TIMEOUT)

    def tcp(self, name: str, host: str, port: int) -> BoundSockets:
        """See `SocketProvider`."""
        return self._request(Tcp(name, host, port))

    def udp(self, beside: socket.socket) -> socket.socket:
        """See `SocketProvider`."""
        return self._request(Udp(*beside.getsockname()[:2])).sockets[0]

    def unix(self, name: str, path: str, mode: int) -> BoundSockets:
        """See `SocketProvider`."""
        return self._request(Unix(name, path, mode))

    def reject_unused(self) -> None:
        """See `SocketProvider`."""
        self._request(RefuseRest())

    def remove_files(self) -> None:
        """See `SocketProvider`: the supervisor removes the files when it stops."""

    def _request(self, request: SocketRequest) -> BoundSockets:
        try:
            self._supervisor.send(msgspec.msgpack.encode(request))
            data, descriptors, _, _ = socket.recv_fds(self._supervisor, MAX_REPLY, MAX_SOCKETS)
        except OSError as error:
            raise BindError(f"the supervisor does not provide sockets: {error}") from error
        sockets = [socket.socket(fileno=each) for each in descriptors]
        reply = _reply_decoder.decode(data)
        if reply.error:
            raise BindError(reply.error)
        return BoundSockets(sockets, reply.where)
