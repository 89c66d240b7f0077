"""Another client's view of a busy server: a process of its own that sends one command after another.

    python -m fanjet.bench.processes.probe HOST PORT CONNECT-COMMAND

The generator itself could not tell: while it reads thousands of sockets, its commands wait for it, not the server.
This process shares the generator's processor, with a higher priority where it may raise it.
"""

import contextlib
import json
import os
import select
import socket
import sys
from typing import Final

from ..clients.websocket import PING, PONG_FRAME, FrameReader, commands_frame, handshake, text_frame
from ..workload.payload import now_us

PAUSE: Final = 0.0005
"""Seconds between a reply and the next command."""

REPLY_TIMEOUT: Final = 10.0

_COMMAND_ID: Final = 99


def main() -> None:
    """Connect, say "ready", probe from the line "go" until the next one, print what was measured as JSON."""
    host, port, hello = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    with socket.create_connection((host, port), REPLY_TIMEOUT) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        conversation = Conversation(sock, f"{host}:{port}", hello.encode())
        print("ready", flush=True)  # noqa: T201
        sys.stdin.readline()
        _take_priority()
        samples = _probe_until_told(conversation)
    print(json.dumps(samples))  # noqa: T201


def _take_priority() -> None:
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def _probe_until_told(conversation: "Conversation") -> list[tuple[int, int]]:
    samples = []
    frame = commands_frame({"id": _COMMAND_ID, "rpc": {"method": "ping"}})
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        sent = now_us()
        conversation.ask(frame, _COMMAND_ID)
        samples.append((sent, now_us() - sent))
    return samples


class Conversation:
    """A connected client on a blocking socket."""

    def __init__(self, sock: socket.socket, host: str, hello: bytes) -> None:
        """Raises `OSError` when the server refuses."""
        self._sock = sock
        self._reader = FrameReader()
        name, _, port = host.partition(":")
        sock.sendall(handshake(name, int(port)))
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._receive()
        self.ask(text_frame(hello), 1)

    def ask(self, frame: bytes, number: int) -> None:
        """Send a frame and return when the reply to command `number` is there."""
        self._sock.sendall(frame)
        wanted = b'"id":%d' % number
        answered = False
        while not answered:
            for _, payload in self._reader.frames(self._receive()):
                for message in payload.split(b"\n"):
                    if message == PING:
                        self._sock.sendall(PONG_FRAME)
                    elif wanted in message:
                        answered = True

    def _receive(self) -> bytes:
        data = self._sock.recv(65536)
        if not data:
            raise ConnectionError("closed by the server")
        return data


if __name__ == "__main__":
    main()
