"""What a client reports about itself in `connect`, and the time it connected."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

MAX_LENGTH: Final = 255
"""Characters kept of a name or version."""


class ConnectInfo(NamedTuple):
    """Name and version as the client sent them, and the connect time.

    Name and version are empty if the client sent none; `connected_at` is in Unix seconds.
    """

    name: str = ""
    version: str = ""
    connected_at: int = 0


NOT_CONNECTED: Final = ConnectInfo()
"""The info of a session that has not connected yet."""


@lru_cache(maxsize=256)
def connect_info(name: str, version: str, connected_at: int) -> ConnectInfo:
    """Return a shared object for equal clients that connect in the same second.

    Sharing saves memory.
    """
    return ConnectInfo(name[:MAX_LENGTH], version[:MAX_LENGTH], connected_at)
