"""Keeps the broker subscribed to exactly the channels that have local subscribers (07 §19)."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from fanjet.engines.failure_log import log_failure
from fanjet.engines.interfaces import DONE, EngineUnavailable
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from fanjet.engines.interfaces import Broker

    from .channel import LiveChannel
    from .hub import Hub

log = get_logger(__name__)

LINGER = 1.0
"""Seconds that a channel without subscribers stays subscribed: a page reload costs the backend nothing."""
MOST_AT_ONCE = 512
"""Unsubscribe calls under way at the same time."""
SLICE = 200
"""Calls until others get their turn, about a millisecond. Those of a slice travel together."""


class BrokerSubscriptions:
    """The first subscriber of a channel subscribes the node to it, the last one leaves it to be unsubscribed later.

    One transition of a channel runs at a time; others wait for it and look again.
    """

    def __init__(self, hub: Hub, broker: Broker) -> None:
        self._hub = hub
        self._broker = broker
        self._loop = asyncio.get_running_loop()
        self._latest: asyncio.Future[None] | None = None
        """What the broker has promised last: mostly an answer to many questions, read by one callback."""
        self._concerned: list[LiveChannel] = []
        self._unused: list[LiveChannel] = []
        self._empty: deque[tuple[float, LiveChannel]] = deque()
        self._cleaner: asyncio.Handle | None = None
        self._under_way = 0
        self._failing = False
        self._closed = False

    def ensure(self, channel: LiveChannel) -> Awaitable[None]:
        """Done once the broker delivers `channel`, which may be at once (`DONE`); else to be awaited at once. Raises
        what the broker raised."""
        answer = channel.answer
        if answer is not None:
            if not answer.done():
                return self._ensure_later(channel, answer)
            self._read(channel, _error_of(answer))  # its turn comes in this turn of the loop, after ours
        if channel.subscribed:
            return DONE
        asked = self._broker.subscribe(channel.name)
        if asked is DONE:
            channel.subscribed = True
        elif isinstance(asked, asyncio.Future):
            self._await(channel, asked)
        else:
            return self._take(channel, asked)
        return asked

    async def _take(self, channel: LiveChannel, asked: Awaitable[None]) -> None:
        """By a call that is a coroutine. Meanwhile others wait for an answer that tells them to look again."""
        channel.answer = answer = self._loop.create_future()
        try:
            await asked
            channel.subscribed = True
        finally:
            channel.answer = None
            answer.set_result(None)

    async def _ensure_later(self, channel: LiveChannel, answer: asyncio.Future[None]) -> None:
        """Look again when the transition has ended."""
        await asyncio.wait([answer])
        await self.ensure(channel)

    def expect(self, names: Iterable[str]) -> None:
        """Subscribe to channels before their first subscribers come. If nobody does, or if it fails, that is as if the
        last one had left."""
        if self._closed:
            return
        live, subscribe = self._hub.live, self._broker.subscribe
        for name in names:
            channel = live(name)
            if channel.subscribed or channel.answer is not None:
                continue
            try:
                self._await(channel, subscribe(name))
            except EngineUnavailable:
                self.release(channel)

    def _await(self, channel: LiveChannel, asked: Awaitable[None]) -> None:
        """Begin a transition. The answer is read before anybody else acts on it, and also if nobody does."""
        channel.answer = answer = asked if isinstance(asked, asyncio.Future) else asyncio.ensure_future(asked)
        if answer is self._latest:
            self._concerned.append(channel)
        else:
            self._latest, self._concerned = answer, [channel]
            answer.add_done_callback(partial(self._read_all, self._concerned))

    def _read_all(self, concerned: list[LiveChannel], answer: asyncio.Future[None]) -> None:
        error = _error_of(answer)
        for channel in concerned:
            if channel.answer is answer:  # else somebody was in a hurry
                self._read(channel, error)
        self._clean_soon()

    def _read(self, channel: LiveChannel, error: BaseException | None) -> None:
        """End the transition as the broker has answered."""
        channel.answer = None
        if channel.leaving:
            channel.leaving = False
            self._under_way -= 1
            self._take_outcome(channel, error)
        else:
            channel.subscribed = error is None
            if not channel.count:
                self._release_later(channel)

    def _release_later(self, channel: LiveChannel) -> None:
        """Unless those come in this turn of the loop who were expected, as they mostly do."""
        if not self._unused:
            self._loop.call_soon(self._release_unused)
        self._unused.append(channel)

    def _release_unused(self) -> None:
        unused, self._unused = self._unused, []
        for channel in unused:
            if not channel.count:
                self.release(channel)

    def release(self, channel: LiveChannel) -> None:
        """The last subscriber has left: unsubscribe in a while, unless someone comes back."""
        if self._closed:
            return
        self._empty.append((self._loop.time() + LINGER, channel))
        if self._cleaner is None:
            self._cleaner = self._loop.call_at(self._empty[0][0], self._clean)

    def move(self) -> None:
        """Namespaces have changed: whoever is in a channel that is another broker's now has to subscribe anew."""
        is_misrouted: Callable[[str], bool] | None = getattr(self._broker, "is_misrouted", None)
        if is_misrouted is None:
            return

        def look_at(channel: LiveChannel, _answer: object = None) -> None:
            if is_misrouted(channel.name):
                self._hub.on_subscription_revoked(channel.name)

        for channel in list(self._hub.channels.values()):
            if channel.answer is None:
                look_at(channel)
            else:  # it may come to be subscribed where it was asked for before
                channel.answer.add_done_callback(partial(look_at, channel))

    def close(self) -> None:
        """Drop what is queued: closing the broker ends its subscriptions."""
        self._closed = True
        self._empty.clear()
        if self._cleaner is not None:
            self._cleaner.cancel()
        for channel in self._hub.channels.values():
            if isinstance(channel.answer, asyncio.Task):
                channel.answer.cancel()

    def _clean(self) -> None:
        """Begin to leave channels whose second is over, as many as may be under way. What is asked of a remote broker
        at the same time travels together, and a call that hangs does not hold up the rest. The memory broker never
        waits: others get their turn after a slice."""
        self._cleaner = None
        empty, channels = self._empty, self._hub.channels
        now = self._loop.time()
        for _ in range(SLICE):
            if not empty or self._under_way >= MOST_AT_ONCE:
                return  # in the latter case answers call again
            until, channel = empty[0]
            if until > now:
                self._cleaner = self._loop.call_at(until, self._clean)
                return
            empty.popleft()
            if not channel.count and channel.answer is None and channels.get(channel.name) is channel:
                self._leave(channel)
        self._clean_soon()

    def _clean_soon(self) -> None:
        if self._empty and self._cleaner is None:
            self._cleaner = self._loop.call_soon(self._clean)

    def _leave(self, channel: LiveChannel) -> None:
        channel.subscribed = False  # already now: who comes meanwhile has to wait and subscribe again
        channel.metrics.actions["broker_unsubscribe"].value += 1
        try:
            asked = self._broker.unsubscribe(channel.name)
        except Exception as error:
            self._take_outcome(channel, error)
            return
        if asked is DONE:
            self._take_outcome(channel, None)
        else:
            channel.leaving = True
            self._under_way += 1
            self._await(channel, asked)

    def _take_outcome(self, channel: LiveChannel, error: BaseException | None) -> None:
        """Forget the channel, unless it has subscribers again or the broker has failed."""
        if isinstance(error, Exception):
            if not self._failing:  # one line for an outage: it may be the same with thousands of channels
                _log_failure(channel, error)
            self._failing = True
            self.release(channel)  # once more later
        elif error is None:
            self._failing = False
            if channel.count == 0:
                del self._hub.channels[channel.name]


def _error_of(answer: asyncio.Future[None]) -> BaseException | None:
    return asyncio.CancelledError() if answer.cancelled() else answer.exception()


def _log_failure(channel: LiveChannel, error: Exception) -> None:
    try:
        raise error
    except Exception:
        log_failure(log, "error unsubscribing from broker", error, channel=channel.name)
