"""Keeps the broker subscribed to exactly the channels with local subscribers.

See 07 §19.
"""

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
"""Seconds that a channel without subscribers stays subscribed, so that a page reload costs the broker nothing."""
MAX_PENDING_UNSUBSCRIBES = 512
"""Unsubscribe calls under way at the same time."""
MAX_PER_TURN = 200
"""Calls per turn of the event loop, about a millisecond. Remote brokers get those of a turn in one batch."""


class BrokerSubscriptions:
    """Subscribes the node to channels that have local subscribers.

    A channel is subscribed on its first subscriber, and unsubscribed a while after the last.

    Each channel has at most one broker call under way; later requests wait for it and check again.
    """

    def __init__(self, hub: Hub, broker: Broker) -> None:
        self._hub = hub
        self._broker = broker
        self._loop = asyncio.get_running_loop()
        self._latest: asyncio.Future[None] | None = None
        """The future returned last by the broker: it is often shared by many channels, which one callback then
        settles."""
        self._latest_channels: list[LiveChannel] = []
        self._unused: list[LiveChannel] = []
        self._idle: deque[tuple[float, LiveChannel]] = deque()
        self._unsubscribe_handle: asyncio.Handle | None = None
        self._pending_unsubscribes = 0
        self._failing = False
        self._closed = False

    def ensure(self, channel: LiveChannel) -> Awaitable[None]:
        """Return an awaitable that completes once the broker delivers `channel`.

        It is `DONE` if the broker does already; it has to be awaited at once. Raises the broker's errors.
        """
        pending = channel.pending
        if pending is not None:
            if not pending.done():
                return self._ensure_later(channel, pending)
            self._settle(channel, _error_of(pending))  # its callback runs later in this turn of the event loop
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
        """Await a subscribe call that is a coroutine.

        Meanwhile later requests wait for a future and check again.
        """
        channel.pending = pending = self._loop.create_future()
        try:
            await call
            channel.subscribed = True
        finally:
            channel.pending = None
            pending.set_result(None)

    async def _ensure_later(self, channel: LiveChannel, pending: asyncio.Future[None]) -> None:
        """Check again when the call under way has completed."""
        await asyncio.wait([pending])
        await self.ensure(channel)

    def prefetch(self, names: Iterable[str]) -> None:
        """Subscribe to channels before their first subscribers.

        Unused or failed subscriptions are released like a channel whose last subscriber has left.
        """
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
        """Record a call under way.

        Its outcome is processed before other callers act on it, and also if there are none.
        """
        channel.pending = pending = call if isinstance(call, asyncio.Future) else asyncio.ensure_future(call)
        if pending is self._latest:
            self._latest_channels.append(channel)
        else:
            self._latest, self._latest_channels = pending, [channel]
            pending.add_done_callback(partial(self._settle_all, self._latest_channels))

    def _settle_all(self, channels: list[LiveChannel], pending: asyncio.Future[None]) -> None:
        error = _error_of(pending)
        for channel in channels:
            if channel.pending is pending:  # else `ensure` has settled it already
                self._settle(channel, error)
        self._schedule_unsubscribes()

    def _settle(self, channel: LiveChannel, error: BaseException | None) -> None:
        """Process the outcome of a channel's call."""
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
        """Release the channel unless the expected subscribers arrive in this turn.

        The turn is the event loop's; they usually do arrive.
        """
        if not self._unused:
            self._loop.call_soon(self._release_unused)
        self._unused.append(channel)

    def _release_unused(self) -> None:
        unused, self._unused = self._unused, []
        for channel in unused:
            if not channel.count:
                self.release(channel)

    def release(self, channel: LiveChannel) -> None:
        """Unsubscribe after `LINGER`, unless another subscriber arrives.

        Called when the last subscriber has left.
        """
        if self._closed:
            return
        self._idle.append((self._loop.time() + LINGER, channel))
        if self._unsubscribe_handle is None:
            self._unsubscribe_handle = self._loop.call_at(self._idle[0][0], self._unsubscribe_idle)

    def resubscribe_misrouted(self) -> None:
        """Make subscribers of channels that another broker serves subscribe again.

        Called when namespaces have changed.
        """
        is_misrouted: Callable[[str], bool] | None = getattr(self._broker, "is_misrouted", None)
        if is_misrouted is None:
            return

        def check(channel: LiveChannel, _answer: object = None) -> None:
            if is_misrouted(channel.name):
                self._hub.on_subscription_revoked(channel.name)

        for channel in list(self._hub.channels.values()):
            if channel.pending is None:
                check(channel)
            else:  # the call under way may subscribe it with the previous broker
                channel.pending.add_done_callback(partial(check, channel))

    def close(self) -> None:
        """Drop queued calls: closing the broker ends its subscriptions."""
        self._closed = True
        self._idle.clear()
        if self._unsubscribe_handle is not None:
            self._unsubscribe_handle.cancel()
        for channel in self._hub.channels.values():
            if isinstance(channel.pending, asyncio.Task):
                channel.pending.cancel()

    def _unsubscribe_idle(self) -> None:
        """Unsubscribe channels whose `LINGER` has passed.

        No more calls are under way than the limit permits. A remote broker gets concurrent calls in one batch, and a
        call that hangs does not delay the others. The memory broker never waits, so other work gets its turn after a
        slice.
        """
        self._unsubscribe_handle = None
        idle, channels = self._idle, self._hub.channels
        now = self._loop.time()
        for _ in range(MAX_PER_TURN):
            if not idle or self._pending_unsubscribes >= MAX_PENDING_UNSUBSCRIBES:
                return  # in the latter case completed calls continue
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
        channel.subscribed = False  # set before the call, so that a new subscriber waits and subscribes again
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
        """Drop the channel, unless it has subscribers again or the broker has failed."""
        if isinstance(error, Exception):
            if not self._failing:  # one line per outage, which may affect thousands of channels
                _log_failure(channel, error)
            self._failing = True
            self.release(channel)  # retry later
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
