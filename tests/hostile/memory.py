"""How much memory the server holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from tests.support.server import Server


def resident(server: Server) -> int:
    """Bytes of the server process in memory."""
    return int(psutil.Process(server.pid).memory_info().rss)


def descriptors(server: Server) -> int:
    """Open files and sockets of the server process."""
    return int(psutil.Process(server.pid).num_fds())
