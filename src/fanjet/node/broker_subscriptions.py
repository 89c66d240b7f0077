"""Keeps the broker subscribed to exactly the channels that have local subscribers (07 §19)."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from fanjet.engines.interfaces import Broker

    from .channel import LiveChannel
    from .hub import Hub

log = get_logger(__name__)

LINGER = 1.0
"""Seconds that a channel without subscribers stays subscribed: a page reload costs the backend nothing."""
RETRY_DELAY = 0.5


class BrokerSubscriptions:
    """The first subscriber of a channel subscribes the node to it, the last one leaves it to be unsubscribed later.

    One transition of a channel runs at a time; others wait for it and look again.
    """

    def __init__(self, hub: Hub, broker: Broker) -> None:
        self._hub = hub
        self._broker = broker
        self._empty: deque[tuple[float, LiveChannel]] = deque()
        self._cleaner: asyncio.TimerHandle | None = None
        self._jobs: set[asyncio.Task[None]] = set()
        self._closed = False

    async def ensure(self, channel: LiveChannel) -> None:
        """Return once the broker delivers `channel`. Raises what the broker raised."""
        while not channel.subscribed:
            if channel.transition is not None:
                await asyncio.shield(channel.transition)
                continue
            channel.transition = asyncio.get_running_loop().create_future()
            try:
                channel.metrics.count("broker_subscribe")
                await self._broker.subscribe(channel.name)
                channel.subscribed = True
            finally:
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
        for job in self._jobs:
            job.cancel()

    def _clean(self) -> None:
        loop = asyncio.get_running_loop()
        self._cleaner = None
        due = []
        while self._empty and self._empty[0][0] <= loop.time():
            channel = self._empty.popleft()[1]
            if channel.count == 0 and channel.transition is None:
                due.append(channel)
        if self._empty:
            self._cleaner = loop.call_at(self._empty[0][0], self._clean)
        if due:
            job = loop.create_task(self._unsubscribe_all(due))
            self._jobs.add(job)
            job.add_done_callback(self._jobs.discard)

    async def _unsubscribe_all(self, channels: list[LiveChannel]) -> None:
        for channel in channels:
            if channel.count == 0 and channel.transition is None and self._hub.channels.get(channel.name) is channel:
                await self._unsubscribe(channel)

    async def _unsubscribe(self, channel: LiveChannel) -> None:
        channel.transition = asyncio.get_running_loop().create_future()
        channel.subscribed = False  # already now: who comes meanwhile has to wait and subscribe again
        try:
            channel.metrics.count("broker_unsubscribe")
            await self._broker.unsubscribe(channel.name)
        except Exception:
            log.exception("error unsubscribing from broker", channel=channel.name)
            asyncio.get_running_loop().call_later(RETRY_DELAY, self.release, channel)
        else:
            if channel.count == 0:
                del self._hub.channels[channel.name]
        finally:
            channel.transition.set_result(None)
            channel.transition = None
