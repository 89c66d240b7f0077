"""Datagrams that came to the wrong worker, on their way to the right one.

Which worker a UDP datagram comes to is up to the kernel, which looks at addresses alone: a client whose address changes
comes to another one, and while a worker is being replaced, two read from the same socket. Each worker listens on a Unix
socket named by its number among all that were ever started. What does not get through is lost, as on any network.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .control_channel import Line, Stray, framed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanjet.net.http3.peer_processes import Receive

    from .control_channel import Message


class Post:
    """One worker's (`net.http3.others.PeerProcesses`)."""

    def __init__(self, folder: str, number: int, key: bytes) -> None:
        """`folder` has the sockets of all. `number` is one that no other process has."""
        self.number = number
        self.key = key
        self.replaced = False
        self._folder = Path(folder)
        self._receivers: Mapping[str, Receive] = {}
        self._server: asyncio.Server | None = None
        self._ways: dict[int, _Way] = {}

    async def open(self, receivers: Mapping[str, Receive]) -> None:
        """As `PeerProcesses` has it."""
        self._receivers = receivers
        path = self._folder / str(self.number)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: Line(self._take, lambda: None), path)

    def forward(self, owner: int, where: str, datagram: bytes, address: Any) -> bool:
        """As `PeerProcesses` has it."""
        way = self._ways.get(owner)
        try:
            if way is None:
                way = self._ways[owner] = _Way(self._folder / str(owner))
            way.send(framed(Stray(where, list(address), datagram)))
        except BlockingIOError:  # it is too busy to be reached at all
            return True
        except OSError:  # it is no more
            if way is not None:
                way.close()
                del self._ways[owner]
            return False
        return True

    def close(self) -> None:
        """As `PeerProcesses` has it."""
        if self._server is not None:
            self._server.close()
            self._server = None
            with contextlib.suppress(OSError):
                os.unlink(self._folder / str(self.number))
        for way in self._ways.values():
            way.close()
        self._ways.clear()

    def remove_folder(self) -> None:
        """For the last one, if there is no supervisor to do it."""
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def _take(self, message: Message) -> None:
        if isinstance(message, Stray):
            receive = self._receivers.get(message.where)
            if receive is not None:
                receive(message.datagram, tuple(message.address))


class _Way:
    """Leads to one other worker. Never waits: what the kernel does not take is dropped."""

    def __init__(self, path: Path) -> None:
        """Raises `OSError` when nobody is there."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._unsent = b""
        try:
            self._socket.setblocking(False)
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise

    def send(self, frame: bytes) -> None:
        """Send a frame, the rest of the last one first. Raises `OSError` when the other end is gone."""
        try:
            if self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            if not self._unsent:
                self._unsent = frame[self._socket.send(frame) :]
        except BlockingIOError:
            return

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
