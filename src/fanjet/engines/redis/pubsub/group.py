"""A group of PUB/SUB subscriptions that share a connection: those of a shard or of one partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fanjet.engines.interfaces import DONE, EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from .connection import Batch, PubSubConnection

MAX_NAMES_PER_COMMAND: Final = 512
"""Channel names in one command (07 §8.1)."""


class SubscriptionGroup:
    """The PUB/SUB channels that one node receives from a shard or partition.

    `permanent` names and `probe` are always subscribed, others on request. With partitions all names of a group are in
    one slot, which may move between nodes.

    `names` holds the subscriptions that Redis has confirmed; they survive the loss of the connection, to be restored.
    `connection` carries the subscriptions, and `is_active` is true when all of them are in place. `unsent` is the
    command that names of the current event loop turn share; `max_names` limits names per SUBSCRIBE, because Redis
    refuses the whole command where the ACL denies one name.
    """

    __slots__ = ("connection", "is_active", "max_names", "names", "permanent", "probe", "unsent")

    def __init__(self, permanent: Iterable[str], probe: str) -> None:
        self.permanent = frozenset(name.encode() for name in (*permanent, probe))
        self.probe = probe
        self.names: dict[bytes, None] = {}
        self.connection: PubSubConnection | None = None
        self.is_active = False
        self.unsent: Batch | None = None
        self.max_names = MAX_NAMES_PER_COMMAND

    def subscribe(self, name: bytes) -> Awaitable[None]:
        """Subscribe; done when Redis has confirmed it. Raises `EngineUnavailable`, immediately while disconnected."""
        batch = self.unsent
        if batch is not None and batch.subscribes and len(batch.names) < self.max_names:
            batch.names.append(name)
            return batch.future
        connection = self.connection
        if connection is None or not self.is_active:
            raise EngineUnavailable("pub/sub connection temporary unavailable")
        self.unsent = batch = connection.request([name], self, subscribe=True)
        return batch.future

    def unsubscribe(self, name: bytes) -> Awaitable[None]:
        """Unsubscribe; done when Redis has confirmed it, or immediately while disconnected. Raises `EngineUnavailable`,
        here or when awaited."""
        self.names.pop(name, None)
        batch = self.unsent
        if batch is not None and not batch.subscribes and len(batch.names) < MAX_NAMES_PER_COMMAND:
            batch.names.append(name)
            return batch.future
        connection = self.connection
        if connection is None:
            return DONE
        self.unsent = batch = connection.request([name], self, subscribe=False)
        return batch.future

    def reset(self) -> None:
        """Forget the connection: it was lost, or serves this group no longer."""
        self.connection = self.unsent = None
        self.is_active = False
        self.max_names = MAX_NAMES_PER_COMMAND
