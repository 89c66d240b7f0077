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
MAX_PENDING_UNSUBSCRIBES = 512
"""Unsubscribe calls under way at the same time."""
MAX_PER_TURN = 200
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
        self._latest_channels: list[LiveChannel] = []
        self._unused: list[LiveChannel] = []
        self._idle: deque[tuple[float, LiveChannel]] = deque()
        self._unsubscribe_handle: asyncio.Handle | None = None
        self._pending_unsubscribes = 0
        self._failing = False
        self._closed = False

    def ensure(self, channel: LiveChannel) -> Awaitable[None]:
        """Done once the broker delivers `channel`, which may be at once (`DONE`); else to be awaited at once. Raises
        what the broker raised."""
        pending = channel.pending
        if pending is not None:
            if not pending.done():
                return self._ensure_later(channel, pending)
            self._settle(channel, _error_of(pending))  # its turn comes in this turn of the loop, after ours
        if channel.subscribed:
            return DONE
        call = self._broker.subscribe(channel.name)
        if call is DONE:
            channel.subscribed = True
        elif isinstance(call, asyncio.Future):
            self._track(channel, call)
        else:
            return self._await_coroutine(channel, call)
        return call

    async def _await_coroutine(self, channel: LiveChannel, call: Awaitable[None]) -> None:
        """By a call that is a coroutine. Meanwhile others wait for an answer that tells them to look again."""
        channel.pending = pending = self._loop.create_future()
        try:
            await call
            channel.subscribed = True
        finally:
            channel.pending = None
            pending.set_result(None)

    async def _ensure_later(self, channel: LiveChannel, pending: asyncio.Future[None]) -> None:
        """Look again when the transition has ended."""
        await asyncio.wait([pending])
        await self.ensure(channel)

    def prefetch(self, names: Iterable[str]) -> None:
        """Subscribe to channels before their first subscribers come. If nobody does, or if it fails, that is as if the
        last one had left."""
        if self._closed:
            return
        live, subscribe = self._hub.live, self._broker.subscribe
        for name in names:
            channel = live(name)
            if channel.subscribed or channel.pending is not None:
                continue
            try:
                self._track(channel, subscribe(name))
            except EngineUnavailable:
                self.release(channel)

    def _track(self, channel: LiveChannel, call: Awaitable[None]) -> None:
        """Begin a transition. The answer is read before anybody else acts on it, and also if nobody does."""
        channel.pending = pending = call if isinstance(call, asyncio.Future) else asyncio.ensure_future(call)
        if pending is self._latest:
            self._latest_channels.append(channel)
        else:
            self._latest, self._latest_channels = pending, [channel]
            pending.add_done_callback(partial(self._settle_all, self._latest_channels))

    def _settle_all(self, channels: list[LiveChannel], pending: asyncio.Future[None]) -> None:
        error = _error_of(pending)
        for channel in channels:
            if channel.pending is pending:  # else somebody was in a hurry
                self._settle(channel, error)
        self._schedule_unsubscribes()

    def _settle(self, channel: LiveChannel, error: BaseException | None) -> None:
        """End the transition as the broker has answered."""
        channel.pending = None
        if channel.unsubscribing:
            channel.unsubscribing = False
            self._pending_unsubscribes -= 1
            self._on_unsubscribed(channel, error)
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
        self._idle.append((self._loop.time() + LINGER, channel))
        if self._unsubscribe_handle is None:
            self._unsubscribe_handle = self._loop.call_at(self._idle[0][0], self._unsubscribe_idle)

    def resubscribe_misrouted(self) -> None:
        """Namespaces have changed: whoever is in a channel that is another broker's now has to subscribe anew."""
        is_misrouted: Callable[[str], bool] | None = getattr(self._broker, "is_misrouted", None)
        if is_misrouted is None:
            return

        def check(channel: LiveChannel, _answer: object = None) -> None:
            if is_misrouted(channel.name):
                self._hub.on_subscription_revoked(channel.name)

        for channel in list(self._hub.channels.values()):
            if channel.pending is None:
                check(channel)
            else:  # it may come to be subscribed where it was asked for before
                channel.pending.add_done_callback(partial(check, channel))

    def close(self) -> None:
        """Drop what is queued: closing the broker ends its subscriptions."""
        self._closed = True
        self._idle.clear()
        if self._unsubscribe_handle is not None:
            self._unsubscribe_handle.cancel()
        for channel in self._hub.channels.values():
            if isinstance(channel.pending, asyncio.Task):
                channel.pending.cancel()

    def _unsubscribe_idle(self) -> None:
        """Begin to leave channels whose second is over, as many as may be under way. What is asked of a remote broker
        at the same time travels together, and a call that hangs does not hold up the rest. The memory broker never
        waits: others get their turn after a slice."""
        self._unsubscribe_handle = None
        idle, channels = self._idle, self._hub.channels
        now = self._loop.time()
        for _ in range(MAX_PER_TURN):
            if not idle or self._pending_unsubscribes >= MAX_PENDING_UNSUBSCRIBES:
                return  # in the latter case answers call again
            until, channel = idle[0]
            if until > now:
                self._unsubscribe_handle = self._loop.call_at(until, self._unsubscribe_idle)
                return
            idle.popleft()
            if not channel.count and channel.pending is None and channels.get(channel.name) is channel:
                self._unsubscribe(channel)
        self._schedule_unsubscribes()

    def _schedule_unsubscribes(self) -> None:
        if self._idle and self._unsubscribe_handle is None:
            self._unsubscribe_handle = self._loop.call_soon(self._unsubscribe_idle)

    def _unsubscribe(self, channel: LiveChannel) -> None:
        channel.subscribed = False  # already now: who comes meanwhile has to wait and subscribe again
        channel.metrics.actions["broker_unsubscribe"].value += 1
        try:
            call = self._broker.unsubscribe(channel.name)
        except Exception as error:
            self._on_unsubscribed(channel, error)
            return
        if call is DONE:
            self._on_unsubscribed(channel, None)
        else:
            channel.unsubscribing = True
            self._pending_unsubscribes += 1
            self._track(channel, call)

    def _on_unsubscribed(self, channel: LiveChannel, error: BaseException | None) -> None:
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


def _error_of(pending: asyncio.Future[None]) -> BaseException | None:
    return asyncio.CancelledError() if pending.cancelled() else pending.exception()


def _log_failure(channel: LiveChannel, error: Exception) -> None:
    try:
        raise error
    except Exception:
        log_failure(log, "error unsubscribing from broker", error, channel=channel.name)
