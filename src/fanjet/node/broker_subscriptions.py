"""Keeps the broker subscribed to exactly the channels that have local subscribers (07 §19)."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from fanjet.engines.failures import log_failure
from fanjet.engines.interfaces import DONE, EngineUnavailable
from fanjet.net.eager import run_eagerly
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from fanjet.engines.interfaces import Broker

    from .channel import LiveChannel
    from .hub import Hub

log = get_logger(__name__)

LINGER = 1.0
"""Seconds that a channel without subscribers stays subscribed: a page reload costs the backend nothing."""
MOST_AT_ONCE = 512
"""Unsubscribe calls under way at the same time."""
SLICE = 64
"""Calls until others get their turn."""


class BrokerSubscriptions:
    """The first subscriber of a channel subscribes the node to it, the last one leaves it to be unsubscribed later.

    One transition of a channel runs at a time; others wait for it and look again.
    """

    def __init__(self, hub: Hub, broker: Broker) -> None:
        self._hub = hub
        self._broker = broker
        self._expected: dict[str, asyncio.Future[None]] = {}
        """What was asked of the broker on behalf of subscribers that are still to come, by channel."""
        self._empty: deque[tuple[float, LiveChannel]] = deque()
        self._cleaner: asyncio.TimerHandle | None = None
        self._due: deque[LiveChannel] = deque()
        self._next: asyncio.Handle | None = None
        self._under_way = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._failing = False
        self._closed = False

    async def ensure(self, channel: LiveChannel) -> None:
        """Return once the broker delivers `channel`. Raises what the broker raised."""
        while not channel.subscribed:
            if channel.transition is not None:
                expected = self._expected.get(channel.name)
                if expected is not None and expected.done():
                    self._meet(channel, expected)  # its turn comes in this turn of the loop, after ours
                else:
                    await asyncio.shield(channel.transition)
                continue
            asked = self._broker.subscribe(channel.name)
            if asked is DONE:
                channel.subscribed = True
                return
            channel.transition = asyncio.get_running_loop().create_future()
            try:
                await asked
                channel.subscribed = True
            finally:
                self._end_transition(channel)

    def expect(self, name: str) -> None:
        """Subscribe to a channel before its first subscriber comes. If nobody does, or if it fails, that is as if the
        last one had left."""
        channel = self._hub.live(name)
        if channel.subscribed or channel.transition is not None or self._closed:
            return
        channel.transition = asyncio.get_running_loop().create_future()
        try:
            asked = asyncio.ensure_future(self._broker.subscribe(name))
        except EngineUnavailable:
            self._end_transition(channel)
            self.release(channel)
        else:
            self._expected[name] = asked
            asked.add_done_callback(partial(self._meet, channel))

    def _meet(self, channel: LiveChannel, asked: asyncio.Future[None]) -> None:
        if self._expected.get(channel.name) is not asked:
            return  # somebody was in a hurry
        del self._expected[channel.name]
        channel.subscribed = not asked.cancelled() and asked.exception() is None
        self._end_transition(channel)
        if not channel.count:
            self.release(channel)

    @staticmethod
    def _end_transition(channel: LiveChannel) -> None:
        """Let those go on who wait for it."""
        assert channel.transition is not None
        channel.transition.set_result(None)
        channel.transition = None

    def release(self, channel: LiveChannel) -> None:
        """The last subscriber has left: unsubscribe in a while, unless someone comes back."""
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        self._empty.append((loop.time() + LINGER, channel))
        if self._cleaner is None:
            self._cleaner = loop.call_later(LINGER, self._clean)

    def close(self) -> None:
        """Drop what is queued: closing the broker ends its subscriptions."""
        self._closed = True
        self._empty.clear()
        if self._cleaner is not None:
            self._cleaner.cancel()
        self._due.clear()
        for task in self._tasks:
            task.cancel()

    def _clean(self) -> None:
        loop = asyncio.get_running_loop()
        self._cleaner = None
        while self._empty and self._empty[0][0] <= loop.time():
            channel = self._empty.popleft()[1]
            if channel.count == 0 and channel.transition is None:
                self._due.append(channel)
        if self._empty:
            self._cleaner = loop.call_at(self._empty[0][0], self._clean)
        self._leave_due()

    def _leave_due(self) -> None:
        """Begin to leave channels, as many as may be under way. What is asked of a remote broker at the same time
        travels together, and a call that hangs does not hold up the rest. The memory broker never waits: others get
        their turn after a slice."""
        for _ in range(SLICE):
            if not self._due or self._under_way >= MOST_AT_ONCE:
                return
            channel = self._due.popleft()
            if channel.count == 0 and channel.transition is None and self._hub.channels.get(channel.name) is channel:
                self._leave(channel)
        self._leave_more_soon()

    def _leave_more_soon(self) -> None:
        if self._due and self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._leave_more)

    def _leave_more(self) -> None:
        self._next = None
        self._leave_due()

    def _leave(self, channel: LiveChannel) -> None:
        channel.subscribed = False  # already now: who comes meanwhile has to wait and subscribe again
        channel.metrics.count("broker_unsubscribe")
        try:
            asked = self._broker.unsubscribe(channel.name)
        except Exception as error:
            self._take_outcome(channel, error)
            return
        if asked is DONE:
            self._take_outcome(channel, None)
            return
        channel.transition = asyncio.get_running_loop().create_future()
        self._under_way += 1
        if isinstance(asked, asyncio.Future):
            asked.add_done_callback(partial(self._take_answer, channel))
            return
        task = run_eagerly(_awaiting(asked), lambda _, error: self._end_leaving(channel, error))
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _take_answer(self, channel: LiveChannel, answer: asyncio.Future[None]) -> None:
        self._end_leaving(channel, asyncio.CancelledError() if answer.cancelled() else answer.exception())

    def _end_leaving(self, channel: LiveChannel, error: BaseException | None) -> None:
        self._under_way -= 1
        self._take_outcome(channel, error)
        self._end_transition(channel)
        self._leave_more_soon()

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


async def _awaiting(asked: Awaitable[None]) -> None:
    await asked


def _log_failure(channel: LiveChannel, error: Exception) -> None:
    try:
        raise error
    except Exception:
        log_failure(log, "error unsubscribing from broker", error, channel=channel.name)
