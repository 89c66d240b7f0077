"""A client in a separate process that measures command latency.

It sends commands sequentially.

    python -m fanjet.bench.processes.probe HOST PORT CONNECT-COMMAND

The generator cannot measure this: while it reads thousands of sockets, replies wait for the generator. This process
runs on the generator's processor, with a higher priority if permitted.
"""

import contextlib
import json
import os
import select
import socket
import sys
from typing import Final

from ..clients.websocket import PING, PONG_FRAME, FrameReader, commands_frame, handshake, text_frame
from ..payload import now_us

PAUSE: Final = 0.0005
"""Seconds between a reply and the next command."""

REPLY_TIMEOUT: Final = 10.0

_COMMAND_ID: Final = 99


def main() -> None:
    """Run the probe and print its samples as JSON.

    It connects, prints "ready", and probes from the input line "go" until the next line.
    """
    host, port, hello = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    with socket.create_connection((host, port), REPLY_TIMEOUT) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = BlockingClient(sock, f"{host}:{port}", hello.encode())
        print("ready", flush=True)  # noqa: T201
        sys.stdin.readline()
        _raise_priority()
        samples = _probe_until_stopped(client)
    print(json.dumps(samples))  # noqa: T201


def _raise_priority() -> None:
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def _probe_until_stopped(client: "BlockingClient") -> list[tuple[int, int]]:
    samples = []
    frame = commands_frame({"id": _COMMAND_ID, "rpc": {"method": "ping"}})
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        sent = now_us()
        client.request(frame, _COMMAND_ID)
        samples.append((sent, now_us() - sent))
    return samples


class BlockingClient:
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
        self.request(text_frame(hello), 1)

    def request(self, frame: bytes, number: int) -> None:
        """Send a frame and return when the reply to command `number` has arrived."""
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
