"""A group of PUB/SUB subscriptions that share a connection.

They are those of a shard or of one partition.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import Struct

from fanjet.engines.interfaces import DONE, EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

MAX_NAMES_PER_COMMAND: Final = 512
"""Channel names in one command (07 §8.1)."""


class SharedFuture(asyncio.Future[None]):
    """A future with several waiters. Cancelling one waiter must not cancel the others."""

    def cancel(self, msg: Any = None) -> bool:
        """Ignore the cancellation."""
        return False


class Batch(Struct, eq=False, gc=False):
    """One SUBSCRIBE or UNSUBSCRIBE command for several names.

    All callers share one future.

    Redis confirms each name separately: `kind` is the type of the confirmations, `confirmed` their number so far.
    Confirmed names are added to, or removed from, `registry`.
    """

    subscribes: bool
    kind: bytes
    group: SubscriptionGroup
    registry: dict[bytes, None]
    names: list[bytes]
    future: SharedFuture
    confirmed: int = 0

    def fail(self, error: EngineUnavailable) -> None:
        """Fail the waiting callers."""
        if not self.future.done():
            self.future.set_exception(error)


class GroupConnection(Protocol):
    """A connection that carries the subscriptions of groups: see `PubSubConnection`."""

    def request(self, names: list[bytes], group: SubscriptionGroup, *, subscribe: bool) -> Batch:
        """Subscribe or unsubscribe names.

        More names may join the command until this event loop turn ends.
        """

    def detach(self, group: SubscriptionGroup) -> None:
        """Release a group that another connection takes over."""


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
        self.connection: GroupConnection | None = None
        self.is_active = False
        self.unsent: Batch | None = None
        self.max_names = MAX_NAMES_PER_COMMAND

    def subscribe(self, name: bytes) -> Awaitable[None]:
        """Subscribe; done when Redis has confirmed it.

        Raises `EngineUnavailable`, immediately while disconnected.
        """
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
        """Unsubscribe.

        Done when Redis has confirmed it, or immediately while disconnected. Raises `EngineUnavailable`, here or when
        awaited.
        """
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
