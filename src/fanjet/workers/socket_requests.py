"""How workers get their sockets: questions and answers in datagrams, the sockets beside them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from fanjet.net.binding import BindError
from fanjet.net.socket_provider import BoundSockets

if TYPE_CHECKING:
    from fanjet.net.http3.peer_processes import PeerProcesses

MAX_ANSWER: Final = 65536
MAX_SOCKETS: Final = 64
PATIENCE: Final = 30.0
"""Seconds that a worker waits for an answer."""


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


class Rest(msgspec.Struct, frozen=True, tag="rest"):
    """As `SocketProvider.reject_unused`."""


Question: TypeAlias = Tcp | Udp | Unix | Rest


class Answer(msgspec.Struct, frozen=True):
    """`where` the sockets beside it are bound, or why they are not."""

    where: str = ""
    error: str = ""


_questions: Final = msgspec.msgpack.Decoder(Question)
_answers: Final = msgspec.msgpack.Decoder(Answer)


def decode_question(data: bytes) -> Question:
    """What a worker asks."""
    question: Question = _questions.decode(data)
    return question


class KeptAddresses:
    """The addresses of a worker: the supervisor binds them and lends out the sockets (`net.addresses.SocketProvider`).

    Asking blocks, which is for the start alone.
    """

    def __init__(self, keeper: socket.socket, others: PeerProcesses) -> None:
        self.others: PeerProcesses | None = others
        self._keeper = keeper
        keeper.settimeout(PATIENCE)

    def tcp(self, name: str, host: str, port: int) -> BoundSockets:
        """As `SocketProvider` has it."""
        return self._ask(Tcp(name, host, port))

    def udp(self, beside: socket.socket) -> socket.socket:
        """As `SocketProvider` has it."""
        return self._ask(Udp(*beside.getsockname()[:2])).sockets[0]

    def unix(self, name: str, path: str, mode: int) -> BoundSockets:
        """As `SocketProvider` has it."""
        return self._ask(Unix(name, path, mode))

    def reject_unused(self) -> None:
        """As `SocketProvider` has it."""
        self._ask(Rest())

    def remove_files(self) -> None:
        """They are the supervisor's, who removes them in the end."""

    def _ask(self, question: Question) -> BoundSockets:
        try:
            self._keeper.send(msgspec.msgpack.encode(question))
            data, descriptors, _, _ = socket.recv_fds(self._keeper, MAX_ANSWER, MAX_SOCKETS)
        except OSError as error:
            raise BindError(f"the supervisor gives no sockets: {error}") from error
        sockets = [socket.socket(fileno=each) for each in descriptors]
        answer = _answers.decode(data)
        if answer.error:
            raise BindError(answer.error)
        return BoundSockets(sockets, answer.where)
