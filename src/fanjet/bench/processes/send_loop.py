"""A server for the kernel baseline, without any protocol.

It is a plain loop of `send()` of one frame to many sockets.

    python -m fanjet.bench.processes.send_loop CONFIG

A connection whose first byte is "r" is a receiver. Any other one is the control connection: each of its lines after
that byte, "COUNT MICROSECONDS", sends COUNT frames to every receiver, one per interval, and is answered with "done".
"""

import json
import socket
import sys
import time
from pathlib import Path
from typing import Final

from ..payload import timestamped_payload

_HEAD: Final = b'{"push":{"channel":"fan","pub":{"data":'


def main() -> None:
    """Serve until killed."""
    port = json.loads(Path(sys.argv[1]).read_text())["http_server"]["port"]
    with socket.create_server(("127.0.0.1", port), backlog=4096) as listener:
        receivers: list[socket.socket] = []
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if connection.recv(1) == b"r":
                receivers.append(connection)
            else:
                _serve(connection, receivers)


def _serve(control: socket.socket, receivers: list[socket.socket]) -> None:
    """Run the commands on `control` until it is closed."""
    with control, control.makefile("rb") as lines:
        for line in lines:
            count, interval = map(int, line.split())
            start = time.monotonic()
            for number in range(1, count + 1):
                _send_to_all(receivers)
                time.sleep(max(0.0, start + number * interval / 1e6 - time.monotonic()))
            control.sendall(b"done\n")


def _send_to_all(receivers: list[socket.socket]) -> None:
    frame = _frame()
    for receiver in receivers:
        receiver.send(frame)


def _frame() -> bytes:
    message = _HEAD + timestamped_payload() + b"}}}"
    return bytes((0x81, len(message))) + message


if __name__ == "__main__":
    main()
