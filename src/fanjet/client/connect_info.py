"""What a client says of itself when it connects, and when that was."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

LONGEST: Final = 255
"""Characters that are kept of a name or version."""


class Agent(NamedTuple):
    """Name and version in the client's own words, empty without; `since` in Unix seconds."""

    name: str = ""
    version: str = ""
    since: int = 0


NOBODY: Final = Agent()
"""Of a connection that has not connected yet."""


@lru_cache(maxsize=256)
def agent(name: str, version: str, since: int) -> Agent:
    """The same object for all that connect within a second with the same client: one connection costs hardly more."""
    return Agent(name[:LONGEST], version[:LONGEST], since)
