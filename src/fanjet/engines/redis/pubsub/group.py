"""What is heard together: all messages of an installation, or those of one partition of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fanjet.engines.interfaces import DONE, EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from .connection import Batch, ListeningConnection

MOST_NAMES: Final = 512
"""Names in one command (07 §8.1)."""


class Ear:
    """Hears its `own` names and `probe` always, others while they are subscribed.

    In a cluster with partitions all of them are in one slot, which may move from one node to another. `names` are those
    whose subscription Redis has confirmed; they stay when the connection is lost. `connection` is the one on which they
    are, and `is_heard` tells that all of them are there. `unsent` is the command that names of this iteration of the
    loop share, `most` how many may share one to subscribe: Redis refuses all of them where it does not permit one.
    """

    __slots__ = ("connection", "is_heard", "most", "names", "own", "probe", "unsent")

    def __init__(self, own: Iterable[str], probe: str) -> None:
        self.own = frozenset(name.encode() for name in (*own, probe))
        self.probe = probe
        self.names: dict[bytes, None] = {}
        self.connection: ListeningConnection | None = None
        self.is_heard = False
        self.unsent: Batch | None = None
        self.most = MOST_NAMES

    def subscribe(self, name: bytes) -> Awaitable[None]:
        """Done when Redis has confirmed it. Raises `EngineUnavailable`, at once while there is no connection."""
        batch = self.unsent
        if batch is not None and batch.subscribes and len(batch.names) < self.most:
            batch.names.append(name)
            return batch.answer
        connection = self.connection
        if connection is None or not self.is_heard:
            raise EngineUnavailable("pub/sub connection temporary unavailable")
        self.unsent = batch = connection.ask([name], self, subscribe=True)
        return batch.answer

    def unsubscribe(self, name: bytes) -> Awaitable[None]:
        """Done when Redis has confirmed it. While there is no connection nothing is subscribed anyway. Raises
        `EngineUnavailable`, here or when awaited."""
        self.names.pop(name, None)
        batch = self.unsent
        if batch is not None and not batch.subscribes and len(batch.names) < MOST_NAMES:
            batch.names.append(name)
            return batch.answer
        connection = self.connection
        if connection is None:
            return DONE
        self.unsent = batch = connection.ask([name], self, subscribe=False)
        return batch.answer

    def lose(self) -> None:
        """The connection is gone, or is not the right one any more."""
        self.connection = self.unsent = None
        self.is_heard = False
        self.most = MOST_NAMES
