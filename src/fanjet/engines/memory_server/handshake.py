"""Passes the descriptor of the journal's memory to the engine.

It is sent with the first message of a connection (SCM_RIGHTS).
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final

_MARK: Final = b"\0"


def send_descriptor(connection: socket.socket, descriptor: int) -> None:
    """Send the descriptor, before anything else. Raises `OSError`."""
    socket.send_fds(connection, [_MARK], [descriptor])


async def receive_descriptor(connection: socket.socket) -> int:
    """Wait for the descriptor, which the caller closes. Raises `OSError`."""
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()
    loop.add_reader(connection, _set, readable)
    try:
        await readable
    finally:
        loop.remove_reader(connection)
    _, descriptors, _, _ = socket.recv_fds(connection, len(_MARK), 1)
    if not descriptors:
        raise ConnectionResetError("closed by the engine")
    return descriptors[0]


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
