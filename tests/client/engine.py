"""A memory engine whose calls can be held, made to fail, and delivered later than they are stored."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fanjet.engines.interfaces import DONE
from fanjet.engines.memory import MemoryBroker, MemoryPresenceManager
from fanjet.net.aio import run_eagerly

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from fanjet.engines.interfaces import BrokerEvents


class Gate:
    """Where calls wait. `"history"` stands for the way in, `"history answer"` for the way out."""

    def __init__(self) -> None:
        self._held: set[str] = set()
        self._failures: dict[str, Exception] = {}
        self._waiting: dict[str, list[tuple[str, asyncio.Future[None]]]] = {}
        self.calls: list[tuple[str, str]] = []

    def hold(self, *calls: str) -> None:
        self._held.update(calls)

    def release(self, *calls: str) -> None:
        """Let go who waits, and who comes from now on."""
        self._held.difference_update(calls)
        for call in calls:
            for _, waiting in self._waiting.pop(call, []):
                if not waiting.done():
                    waiting.set_result(None)

    def release_one(self, call: str, channel: str = "") -> None:
        """Let the one go that has waited longest, or the first that is about a channel."""
        waiting = self._waiting[call]
        number = next(number for number, (about, _) in enumerate(waiting) if channel in ("", about))
        waiting.pop(number)[1].set_result(None)

    def waiting(self, call: str) -> int:
        return len(self._waiting.get(call, []))

    def fail(self, call: str, error: Exception) -> None:
        """Let the next call fail."""
        self._failures[call] = error

    async def through(self, call: str, channel: str, work: Callable[[], Awaitable[Any]]) -> Any:
        self.calls.append((call, channel))
        await self._pass(call, channel)
        if call in self._failures:
            raise self._failures.pop(call)
        result = await work()
        await self._pass(f"{call} answer", channel)
        return result

    async def _pass(self, call: str, channel: str) -> None:
        if call in self._held:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(call, []).append((channel, waiting))
            await waiting

    def channels(self, call: str) -> list[str]:
        """With which channels `call` was made, in order."""
        return [channel for name, channel in self.calls if name == call]


class LateEvents:
    """Between broker and hub: while `late`, what happened is kept until the test delivers it."""

    def __init__(self, events: BrokerEvents) -> None:
        self._events = events
        self._kept: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.late = False

    def on_publication(self, *args: Any, **kwargs: Any) -> None:
        if self.late:
            self._kept.append((args, kwargs))
        else:
            self._events.on_publication(*args, **kwargs)

    def on_join(self, *args: Any) -> None:
        self._events.on_join(*args)

    def on_leave(self, *args: Any) -> None:
        self._events.on_leave(*args)

    def on_publication_pending(self) -> None:
        self._events.on_publication_pending()

    def on_restored(self) -> None:
        self._events.on_restored()

    @property
    def waiting(self) -> int:
        return len(self._kept)

    def deliver(self, count: int | None = None) -> None:
        """Deliver the oldest `count`, or all."""
        count = len(self._kept) if count is None else count
        due, self._kept = self._kept[:count], self._kept[count:]
        for args, kwargs in due:
            self._events.on_publication(*args, **kwargs)

    def lose(self, count: int = 1) -> None:
        """Let the oldest never arrive."""
        del self._kept[:count]


class GatedBroker:
    """A memory broker behind a gate. `subscribed` are the channels that this node is subscribed to.

    `answers_by_futures`: what has to be waited for it tells by futures when it is asked for channels.
    """

    keeps_history = True

    def __init__(self, events: BrokerEvents, gate: Gate) -> None:
        self.events = LateEvents(events)
        self.inner = MemoryBroker(self.events)
        self.gate = gate
        self.delivers_reliably = False
        self.subscribed: set[str] = set()
        self.answers_by_futures = False

    def subscribe(self, channel: str) -> Awaitable[None]:
        return self._answer(self.gate.through("subscribe", channel, lambda: self._subscribe(channel)))

    async def _subscribe(self, channel: str) -> None:
        self.subscribed.add(channel)

    def unsubscribe(self, channel: str) -> Awaitable[None]:
        return self._answer(self.gate.through("unsubscribe", channel, lambda: self._unsubscribe(channel)))

    def _answer(self, call: Coroutine[Any, Any, None]) -> Awaitable[None]:
        if not self.answers_by_futures:
            return call
        answer = asyncio.get_running_loop().create_future()

        def tell(_: None, error: BaseException | None) -> None:
            if error is None:
                answer.set_result(None)
            else:
                answer.set_exception(error)

        task = run_eagerly(call, tell)
        return DONE if task is None and answer.exception() is None else answer

    async def _unsubscribe(self, channel: str) -> None:
        self.subscribed.discard(channel)

    async def publish(self, channel: str, data: bytes, options: Any) -> Any:
        return await self.gate.through("publish", channel, lambda: self.inner.publish(channel, data, options))

    async def publish_join(self, channel: str, info: Any) -> None:
        await self.gate.through("publish_join", channel, lambda: self.inner.publish_join(channel, info))

    async def publish_leave(self, channel: str, info: Any) -> None:
        await self.gate.through("publish_leave", channel, lambda: self.inner.publish_leave(channel, info))

    async def history(self, channel: str, **how: Any) -> Any:
        return await self.gate.through("history", channel, lambda: self.inner.history(channel, **how))

    async def remove_history(self, channel: str) -> None:
        await self.inner.remove_history(channel)


class GatedPresence:
    """A memory presence manager behind a gate."""

    def __init__(self, gate: Gate) -> None:
        self.inner = MemoryPresenceManager()
        self.gate = gate

    async def add(self, channel: str, client: str, info: Any) -> None:
        await self.gate.through("add", channel, lambda: self.inner.add(channel, client, info))

    async def remove(self, channel: str, client: str, user: str) -> None:
        await self.gate.through("remove", channel, lambda: self.inner.remove(channel, client, user))

    async def presence(self, channel: str) -> Any:
        return await self.gate.through("presence", channel, lambda: self.inner.presence(channel))

    async def presence_stats(self, channel: str) -> Any:
        return await self.gate.through("presence_stats", channel, lambda: self.inner.presence_stats(channel))
