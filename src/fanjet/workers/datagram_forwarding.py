"""Forwards datagrams that came to the wrong worker to the right one.

The kernel chooses the worker of a UDP datagram by addresses alone: datagrams of a client whose address changes come to
another worker, and while a worker is being replaced, two processes read from the same socket. Each worker listens on a
Unix socket that is named by its number among all that were ever started. Datagrams may be lost, as on any network.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .control_channel import ControlChannel, ForwardedDatagram, encode_frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanjet.net.http3.peer_processes import Receive

    from .control_channel import Message


class DatagramForwarder:
    """A worker's forwarding of datagrams (`net.http3.peer_processes.PeerProcesses`)."""

    def __init__(self, folder: str, number: int, key: bytes) -> None:
        """`folder` contains the sockets of all workers. `number` is unique among them."""
        self.number = number
        self.key = key
        self.replaced = False
        self._folder = Path(folder)
        self._receivers: Mapping[str, Receive] = {}
        self._server: asyncio.Server | None = None
        self._peers: dict[int, _PeerSocket] = {}

    async def open(self, receivers: Mapping[str, Receive]) -> None:
        """See `PeerProcesses`."""
        self._receivers = receivers
        path = self._folder / str(self.number)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: ControlChannel(self._on_received, lambda: None), path)

    def forward(self, owner: int, where: str, datagram: bytes, address: Any) -> bool:
        """See `PeerProcesses`."""
        peer = self._peers.get(owner)
        try:
            if peer is None:
                peer = self._peers[owner] = _PeerSocket(self._folder / str(owner))
            peer.send(encode_frame(ForwardedDatagram(where, list(address), datagram)))
        except BlockingIOError:  # its queue of connections is full
            return True
        except OSError:  # it has exited
            if peer is not None:
                peer.close()
                del self._peers[owner]
            return False
        return True

    def close(self) -> None:
        """See `PeerProcesses`."""
        if self._server is not None:
            self._server.close()
            self._server = None
            with contextlib.suppress(OSError):
                os.unlink(self._folder / str(self.number))
        for peer in self._peers.values():
            peer.close()
        self._peers.clear()

    def remove_folder(self) -> None:
        """Remove the folder after the supervisor has died; works for the last worker."""
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def _on_received(self, message: Message) -> None:
        if isinstance(message, ForwardedDatagram):
            receive = self._receivers.get(message.where)
            if receive is not None:
                receive(message.datagram, tuple(message.address))


class _PeerSocket:
    """A connection to another worker.

    Never waits: a datagram that the kernel does not accept is dropped.
    """

    def __init__(self, path: Path) -> None:
        """Raises `OSError` when the worker does not run."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._unsent = b""
        try:
            self._socket.setblocking(False)
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise

    def send(self, frame: bytes) -> None:
        """Send a frame, after the rest of the last one.

        Raises `OSError` when the other end is closed.
        """
        try:
            if self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            if not self._unsent:
                self._unsent = frame[self._socket.send(frame) :]
        except BlockingIOError:
            return

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
