"""Deduplication of concurrent identical reads (07 §22.2)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Hashable

    from fanjet.protocol.publication import ClientInfo, StreamPosition

    from .interfaces import Broker, History, PresenceManager, Published, PublishOptions


class SharedCalls:
    """Shares calls by key.

    A caller that arrives during a call waits for the next one, which later callers share: the result of the running
    call may be older than the caller's subscription, and lack a publication.
    """

    def __init__(self) -> None:
        self._next: dict[Hashable, asyncio.Task[Any]] = {}
        self._running: dict[Hashable, asyncio.Task[Any]] = {}

    async def share(self, key: Hashable, call: Callable[[], Awaitable[Any]]) -> Any:
        """The result of a call that starts after this one was made.

        Raises what the call raises.
        """
        task = self._next.get(key)
        if task is None:
            task = self._next[key] = asyncio.get_running_loop().create_task(self._run(key, call))
            task.add_done_callback(_consume_exception)
        return await asyncio.shield(task)

    async def _run(self, key: Hashable, call: Callable[[], Awaitable[Any]]) -> Any:
        before = self._running.get(key)
        if before is not None:
            await asyncio.wait([before])
        task = self._running[key] = self._next.pop(key)
        try:
            return await call()
        finally:
            if self._running.get(key) is task:
                del self._running[key]


class SingleflightBroker:
    """A broker whose history reads are shared."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._calls = SharedCalls()
        self.keeps_history = broker.keeps_history
        self.delivers_reliably = broker.delivers_reliably

    @property
    def outage(self) -> str:
        """See `RemoteEngine`."""
        return getattr(self._broker, "outage", "")

    @property
    def silence(self) -> float | None:
        """See `ProbedEngine`; None where the broker does not know it."""
        return getattr(self._broker, "silence", None)

    @property
    def keeps_order(self) -> bool:
        """See `OrderedBroker`."""
        return getattr(self._broker, "keeps_order", False)

    def start(self) -> Coroutine[Any, Any, None]:
        """See `Broker.start`."""
        return self._broker.start()

    def close(self) -> Coroutine[Any, Any, None]:
        """See `Broker.close`."""
        return self._broker.close()

    def subscribe(self, channel: str) -> Awaitable[None]:
        """See `Broker.subscribe`."""
        return self._broker.subscribe(channel)

    def unsubscribe(self, channel: str) -> Awaitable[None]:
        """See `Broker.unsubscribe`."""
        return self._broker.unsubscribe(channel)

    def publish(self, channel: str, data: bytes, options: PublishOptions) -> Awaitable[Published]:
        """See `Broker.publish`."""
        return self._broker.publish(channel, data, options)

    def publish_join(self, channel: str, info: ClientInfo) -> Coroutine[Any, Any, None]:
        """See `Broker.publish_join`."""
        return self._broker.publish_join(channel, info)

    def publish_leave(self, channel: str, info: ClientInfo) -> Coroutine[Any, Any, None]:
        """See `Broker.publish_leave`."""
        return self._broker.publish_leave(channel, info)

    def history(
        self,
        channel: str,
        *,
        since: StreamPosition | None = None,
        limit: int = -1,
        reverse: bool = False,
        meta_ttl: int = 0,
    ) -> Coroutine[Any, Any, History]:
        """See `Broker.history`."""
        return self._calls.share(
            (channel, since, limit, reverse, meta_ttl),
            lambda: self._broker.history(channel, since=since, limit=limit, reverse=reverse, meta_ttl=meta_ttl),
        )

    def remove_history(self, channel: str) -> Coroutine[Any, Any, None]:
        """See `Broker.remove_history`."""
        return self._broker.remove_history(channel)


class SingleflightPresenceManager:
    """A presence manager whose reads are shared."""

    def __init__(self, manager: PresenceManager) -> None:
        self._manager = manager
        self._calls = SharedCalls()

    @property
    def outage(self) -> str:
        """See `RemoteEngine`."""
        return getattr(self._manager, "outage", "")

    def start(self) -> Coroutine[Any, Any, None]:
        """See `PresenceManager.start`."""
        return self._manager.start()

    def close(self) -> Coroutine[Any, Any, None]:
        """See `PresenceManager.close`."""
        return self._manager.close()

    def add(self, channel: str, client: str, info: ClientInfo) -> Coroutine[Any, Any, None]:
        """See `PresenceManager.add`."""
        return self._manager.add(channel, client, info)

    def remove(self, channel: str, client: str, user: str) -> Coroutine[Any, Any, None]:
        """See `PresenceManager.remove`."""
        return self._manager.remove(channel, client, user)

    def presence(self, channel: str) -> Coroutine[Any, Any, dict[str, ClientInfo]]:
        """See `PresenceManager.presence`."""
        return self._calls.share(("presence", channel), lambda: self._manager.presence(channel))

    def presence_stats(self, channel: str) -> Coroutine[Any, Any, tuple[int, int]]:
        """See `PresenceManager.presence_stats`."""
        return self._calls.share(("stats", channel), lambda: self._manager.presence_stats(channel))


def _consume_exception(task: asyncio.Task[Any]) -> None:
    """Retrieve the exception of a task.

    Otherwise asyncio reports it when all waiters were cancelled.
    """
    if not task.cancelled():
        task.exception()
