"""Makes a subscription without gap or duplicate.

Used by `subscribe`, `connect` and the server API (01 §8.2).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from fanjet.channels.recovery import NOT_RECOVERED, InsufficientState, decide_cache, decide_stream, merge
from fanjet.engines.failure_log import log_failure
from fanjet.engines.interfaces import DONE, HistoryNotAvailable
from fanjet.node.subscriber import Delivery
from fanjet.protocol.codes import (
    DISCONNECT_CONNECTION_CLOSED,
    DISCONNECT_INSUFFICIENT_STATE,
    DISCONNECT_INTERNAL,
    ERROR_INTERNAL,
    ERROR_NOT_AVAILABLE,
    ERROR_UNRECOVERABLE_POSITION,
    Disconnected,
    ReplyError,
)
from fanjet.protocol.messages import EMPTY_SUBSCRIBE_RESULT, SubscribeResult
from fanjet.protocol.publication import StreamPosition
from fanjet.telemetry.logging import get_logger

from .ending import remove_presence
from .subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from fanjet.channels.recovery import Recovery
    from fanjet.channels.subscription import SubscriptionOptions
    from fanjet.client.session_interface import SessionInterface
    from fanjet.engines.interfaces import History
    from fanjet.protocol.publication import EncodedPublication, Publication
    from fanjet.protocol.tags_filter import TagsFilter
    from fanjet.telemetry.metrics import Counter

log = get_logger(__name__)

TTL_MASK = 0xFFFFFFFF
"""A ttl has 32 bits; longer lifetimes from tokens wrap, for compatibility."""

_shared_delivery: Final = lru_cache(maxsize=256)(Delivery)
"""Most subscribers have equal deliveries, which share one object. Only without a filter."""


class SubscribeParams(Struct, frozen=True, gc=False):
    """Parameters of a subscribe request."""

    recover: bool = False
    offset: int = 0
    epoch: str = ""
    delta: str = ""
    compact: bool = False
    reject_unrecovered: bool = False
    tags_filter: TagsFilter | None = None

    @property
    def position(self) -> StreamPosition:
        """The client's stream position."""
        return StreamPosition(self.offset, self.epoch)


DEFAULT_PARAMS: Final = SubscribeParams()


class SubscribeAttempt(Struct, eq=False, gc=False):
    """One attempt to subscribe.

    `reserve` takes the channel on the connection. `prepare` registers with the node and waits for the engines. Then,
    without waiting in between: `complete`, queueing the reply, `activate`. `publish_join` follows. After a failure
    `roll_back` undoes all steps taken.

    Where registering is the only wait, no coroutine is needed: `subscribe` awaits it directly, and calls `fail` after a
    failure.
    """

    subscription: Subscription
    _session: SessionInterface
    _params: SubscribeParams
    _recovering: bool
    _accepted: Counter
    _history: History | None = None
    _presence_added: bool = False
    _publications: list[Publication] = []

    @classmethod
    def reserve(
        cls,
        session: SessionInterface,
        channel: str,
        options: SubscriptionOptions,
        params: SubscribeParams,
        *,
        server_side: bool,
    ) -> SubscribeAttempt:
        """Start an attempt: the channel is taken on this connection from now on."""
        tags_filter = params.tags_filter
        if options.server_tags_filter is not None:
            tags_filter = options.server_tags_filter.intersection(tags_filter)
        make_delivery = _shared_delivery if tags_filter is None else Delivery
        delivery = make_delivery(
            session.transport.wire,
            options.positioning or options.recovery,
            bool(params.delta) and params.delta in options.allowed_delta_types and tags_filter is None,
            params.compact and options.allow_channel_compaction,
            options.push_join_leave,
            tags_filter,
        )
        inflight, accepted = session.metrics.subscriptions_in(channel)
        subscription = Subscription(
            channel,
            delivery,
            inflight,
            session=session,
            options=options,
            server_side=server_side,
            chan_info=options.chan_info,
            expire_at=options.expire_at,
        )
        session.subscriptions[channel] = subscription
        recovering = options.recovery and (params.recover or options.auto_recover)
        return cls(subscription, session, params, recovering, accepted)

    async def prepare(self, registering: Awaitable[None] | None = None) -> None:
        """Register for publications, add presence, read the stream.

        The registration is skipped if it is under way. Raises `ReplyError` or `Disconnected`.
        """
        subscription = self.subscription
        node = self._session.context.node
        try:
            if registering is None:
                registering = node.subscribe_channel(subscription)
            if registering is not DONE:
                await registering
                self._check_still_open()
            if subscription.options.presence:
                self._presence_added = True
                await node.presence_manager.add(subscription.channel, self._session.client_id, subscription.info())
                self._check_still_open()
            if subscription.delivery.positioned:
                self._history = await self._read()
                self._check_still_open()
        except Exception as error:
            raise self._client_error(error) from None

    def _client_error(self, error: Exception) -> Exception:
        """Map an exception to the one for the client."""
        if isinstance(error, HistoryNotAvailable):
            return ReplyError(ERROR_NOT_AVAILABLE)
        if isinstance(error, Disconnected) or (isinstance(error, ReplyError) and error.error is not ERROR_INTERNAL):
            return error
        if not isinstance(error, ReplyError):
            log_failure(log, "error subscribing", error, channel=self.subscription.channel)
        return Disconnected(DISCONNECT_INTERNAL)

    def _check_still_open(self) -> None:
        """Raises `Disconnected` when the connection was closed during a wait."""
        if self._session.closed:
            raise Disconnected(DISCONNECT_CONNECTION_CLOSED)

    async def _read(self) -> History:
        """Read the publications needed for recovery, or only the top of the stream.

        See 01 §8.3.
        """
        subscription = self.subscription
        options = subscription.options
        broker = self._session.context.node.broker
        most = self._session.context.settings.recovery_limit or -1
        since, limit, reverse = None, 0, False
        action = "history_stream_top"
        if self._recovering and options.cache_mode:
            action = "history_recover_cache"
            limit, reverse = (most if subscription.delivery.tags_filter is not None else 1), True
        elif self._recovering:
            action = "history_recover"
            since, limit = self._params.position, most
        self._session.context.node.metrics.of(subscription.channel).read(action)
        return await broker.history(
            subscription.channel, since=since, limit=limit, reverse=reverse, meta_ttl=options.history_meta_ttl
        )

    def complete(self) -> SubscribeResult:
        """Decide recovery, merge publications buffered meanwhile, set the position.

        See 01 §8.4 and §8.5. Raises `Disconnected` 3010 on a gap, error 112 when the client prefers it to an
        unrecovered result.
        """
        subscription = self.subscription
        options = subscription.options
        recovered, offset = False, 0
        if self._history is not None:
            recovered, offset = self._recover(self._history)
        elif self._params is DEFAULT_PARAMS and not (options.data or subscription.expire_at or self._recovering):
            return EMPTY_SUBSCRIBE_RESULT
        left = self._seconds_left()
        return SubscribeResult(
            expires=left > 0,
            ttl=left & TTL_MASK,
            recoverable=options.recovery,
            epoch=subscription.epoch,
            publications=self._encoded(),
            recovered=recovered,
            offset=offset,
            positioned=subscription.delivery.positioned,
            data=options.data,
            was_recovering=self._params.recover or self._recovering,
            delta=subscription.delivery.delta,
            id=self._numeric_id() if subscription.delivery.compact else 0,
        )

    def _seconds_left(self) -> int:
        """Seconds until the client has to refresh the subscription.

        0 when it does not have to.
        """
        subscription = self.subscription
        if not subscription.expire_at or subscription.refreshed_by_server:
            return 0
        return subscription.expire_at - int(self._session.context.unix_time())

    def _numeric_id(self) -> int:
        return self._session.context.node.hub.channels[self.subscription.channel].numeric_id

    def _recover(self, history: History) -> tuple[bool, int]:
        """Return whether recovery succeeded, and the offset for the result.

        Sets publications and position.
        """
        subscription = self.subscription
        options, params = subscription.options, self._params
        if (
            subscription.epoch and subscription.epoch != history.top.epoch
        ):  # buffered publications are of another stream
            raise Disconnected(DISCONNECT_INSUFFICIENT_STATE)
        recovery = self._decide(history)
        if params.reject_unrecovered and self._recovering and not options.cache_mode and not recovery.recovered:
            raise ReplyError(ERROR_UNRECOVERABLE_POSITION)
        latest_only = options.cache_mode and not params.delta
        tags_filter = subscription.delivery.tags_filter
        buffered = subscription.buffer or ()
        try:
            merged = merge(recovery, buffered, history.top.offset, tags_filter, latest_only=latest_only)
        except InsufficientState:
            raise Disconnected(DISCONNECT_INSUFFICIENT_STATE) from None
        if self._recovering:
            context = self._session.context
            context.metrics.recover(subscription.channel, len(recovery.publications), recovered=recovery.recovered)
        subscription.offset, subscription.epoch = merged.offset, history.top.epoch
        self._publications = merged.publications
        return recovery.recovered, params.offset if recovery.recovered else merged.offset

    def _decide(self, history: History) -> Recovery:
        if not self._recovering:
            return NOT_RECOVERED
        decide = decide_cache if self.subscription.options.cache_mode else decide_stream
        return decide(self._params.position, history.publications, history.top, self.subscription.delivery.tags_filter)

    def _encoded(self) -> Sequence[Publication | EncodedPublication]:
        if self.subscription.delivery.delta and self._publications:
            return self._session.transport.wire.codec.recovered_deltas(self._publications)
        return self._publications

    def activate(self, *, recovered_first: bool = False) -> None:
        """Deliver from now on: the reply is queued.

        Recovered publications are delivered first if the reply cannot contain them (01 FIX 6).
        """
        subscription = self.subscription
        context = self._session.context
        subscription.active = True
        if subscription.settled is not None:
            subscription.settle()
        self._accepted.value += 1
        if subscription.needs_periodic:
            self._session.schedule_periodic()
        if recovered_first:
            for publication in self._publications:
                context.node.hub.send(subscription, publication)
        context.node.hub.go_live(subscription, delta_ready=bool(self._publications), now=context.now())

    async def publish_join(self) -> None:
        """Publish the join, before anything can publish the leave."""
        subscription = self.subscription
        if not subscription.options.join_leave or not subscription.active:
            return
        try:
            await self._session.context.node.publish_join(subscription.channel, subscription.info())
        except Exception as error:
            log_failure(log, "error publishing join", error, channel=subscription.channel)

    async def roll_back(self) -> None:
        """Undo registration, presence and the reserved channel."""
        self._unregister()
        if self._presence_added:
            self._presence_added = False
            await remove_presence(self._session, self.subscription)
        self.subscription.settle()

    def fail(self, error: BaseException) -> BaseException:
        """Undo the registration, and return the error for the client."""
        self._unregister()
        self.subscription.settle()
        return self._client_error(error) if isinstance(error, Exception) else error

    def _unregister(self) -> None:
        session, subscription = self._session, self.subscription
        if session.subscriptions.get(subscription.channel) is subscription:
            del session.subscriptions[subscription.channel]
        session.context.node.unsubscribe_channel(subscription)
