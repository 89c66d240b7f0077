"""The node: one facade over hub, connections, broker and presence, for the sessions and for the server API."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from math import inf
from typing import TYPE_CHECKING, Any

from msgspec import structs

from fanjet.net.glob import GlobError, compile_glob
from fanjet.protocol.codec import MalformedFrame
from fanjet.protocol.codes import (
    DISCONNECT_SHUTDOWN,
    ERROR_BAD_REQUEST,
    ERROR_INTERNAL,
    ERROR_UNRECOVERABLE_POSITION,
    ReplyError,
)
from fanjet.telemetry.logging import get_logger

from .broker_subscriptions import BrokerSubscriptions
from .connections import Connections
from .flusher import Flusher
from .hub import Hub
from .registry import NodeInfo, NodeMetrics, UnknownNode

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine

    from fanjet.channels.namespaces import Namespaces
    from fanjet.channels.subscription import SubscriptionOptions
    from fanjet.config.tree.channel import ChannelOptions
    from fanjet.engines.interfaces import Broker, BrokerEvents, History, PresenceManager, Published, PublishOptions
    from fanjet.protocol.codes import Disconnect, Unsubscribe
    from fanjet.protocol.messages import EmulationRequest
    from fanjet.protocol.publication import ClientInfo, StreamPosition

    from .channel import LiveChannel
    from .subscriber import Subscriber

log = get_logger(__name__)


class Node:
    """One node of the cluster.

    `open_broker` gets the hub to report to. `namespaces` is replaced on reload; nothing caches what it resolved.
    """

    def __init__(
        self,
        *,
        name: str,
        version: str,
        namespaces: Namespaces,
        open_broker: Callable[[BrokerEvents], Broker],
        presence_manager: PresenceManager,
        max_message: int = 0,
        max_lag: float = 0.0,
        metrics_name: str = "centrifugo",
        metrics_interval: float = 60.0,
    ) -> None:
        """`metrics_name` begins the names of metrics; they are taken anew every `metrics_interval` seconds."""
        self.uid = str(uuid.uuid4())
        self.name = name
        self.version = version
        self.namespaces = namespaces
        self.flusher = Flusher(asyncio.get_running_loop())
        self.hub = Hub(self.flusher, max_message=max_message, max_lag=max_lag)
        self.broker = open_broker(self.hub)
        self.presence_manager = presence_manager
        self.connections = Connections()
        self.shutting_down = False
        self._subscriptions = BrokerSubscriptions(self.hub, self.broker)
        self._started = time.monotonic()
        self._metrics_name = metrics_name
        self._metrics_interval = metrics_interval
        self._metrics_at = -inf
        self._metrics = NodeMetrics(metrics_interval, {})
        self.announce()

    # ------------------------------------------------------------------------------------------ channels

    def resolve(self, channel: str) -> ChannelOptions:
        """Options of a channel. Raises error 102 when its namespace does not exist."""
        return self.namespaces.resolve(channel).options

    async def subscribe_channel(self, subscriber: Subscriber) -> None:
        """Register a subscriber and wait until the broker delivers its channel. On failure nothing stays behind."""
        channel = self.hub.add(subscriber)
        if not channel.subscribed:
            try:
                await self._subscriptions.ensure(channel)
            except BaseException:
                self.unsubscribe_channel(subscriber)
                raise

    def unsubscribe_channel(self, subscriber: Subscriber) -> None:
        """Remove a subscriber; the broker's subscription follows when it was the last one."""
        empty = self.hub.remove(subscriber)
        if empty is not None:
            self._subscriptions.release(empty)

    def publish(self, channel: str, data: bytes, options: PublishOptions) -> Coroutine[Any, Any, Published]:
        """Publish into a channel (05 §6.1, §7). Hands on the broker's coroutine: one of its own would cost 130 ns."""
        return self.broker.publish(channel, data, options)

    async def history(
        self, channel: str, *, since: StreamPosition | None, limit: int, reverse: bool, meta_ttl: int
    ) -> History:
        """Read a stream as asked for by a client or the API (07 §2.2). Raises error 107 for a reverse read from
        offset 0, 112 for a position of another epoch."""
        if reverse and since is not None and since.offset == 0:
            raise ReplyError(ERROR_BAD_REQUEST)
        history = await self.broker.history(channel, since=since, limit=limit, reverse=reverse, meta_ttl=meta_ttl)
        if since is not None and since.epoch and since.epoch != history.top.epoch:
            raise ReplyError(ERROR_UNRECOVERABLE_POSITION)
        return history

    async def remove_history(self, channel: str) -> None:
        """Drop a channel's stored publications."""
        await self.broker.remove_history(channel)

    async def presence(self, channel: str) -> dict[str, ClientInfo]:
        """Who is in a channel, by client id."""
        return await self.presence_manager.presence(channel)

    async def presence_stats(self, channel: str) -> tuple[int, int]:
        """How many clients and how many users are in a channel."""
        return await self.presence_manager.presence_stats(channel)

    async def check_position(self, channel: LiveChannel, meta_ttl: int) -> None:
        """Compare the positions of the channel's subscribers with the top of its stream (07 §20); those who have missed
        something lose their subscriptions. A read that fails is repeated at the next check."""
        before = (channel.offset, channel.epoch)
        try:
            top = (await self.broker.history(channel.name, limit=0, meta_ttl=meta_ttl)).top
        except Exception:
            log.exception("error checking stream position", channel=channel.name)
            return
        if (channel.offset, channel.epoch) != before:
            return  # what came during the read may be newer than what it found
        for subscriber in channel.subscribers_astray(top.offset, top.epoch):
            subscriber.session.lose_position(subscriber)

    # ------------------------------------------------------------------------------------------ emulation

    async def emulate(self, request: EmulationRequest) -> None:
        """Have commands run by the connection that they are for, and wait until they have (02 §7.4). Raises
        `UnknownNode`; that there is no such connection, or that the data are no commands, is nobody's business."""
        if request.node != self.uid:
            raise UnknownNode(request.node)
        session = self.connections.of_session(request.session)
        if session is not None:
            with contextlib.suppress(MalformedFrame):
                await session.run_commands(bytes(request.data))

    # ------------------------------------------------------------------------------------------ connections (API)

    async def subscribe(
        self,
        user: str,
        channel: str,
        options: SubscriptionOptions,
        *,
        client: str,
        session: str,
        recover_since: StreamPosition | None,
    ) -> None:
        """Subscribe matching connections (05 §6.3). Every one is tried; raises error 100 when one of them failed."""
        failed = False
        for one in self.connections.select(user, client=client, session=session):
            try:
                await one.subscribe_by_server(channel, options, recover_since)
            except ReplyError:
                failed = True
        if failed:
            raise ReplyError(ERROR_INTERNAL)

    async def unsubscribe(
        self, user: str, channel: str, unsubscribe: Unsubscribe, *, client: str, session: str
    ) -> None:
        """Unsubscribe matching connections (05 §6.4)."""
        for one in self.connections.select(user, client=client, session=session):
            await one.unsubscribe_by_server(channel, unsubscribe)

    async def disconnect(
        self, user: str, disconnect: Disconnect, *, client: str, session: str, whitelist: Collection[str]
    ) -> None:
        """Close matching connections (05 §6.5)."""
        for one in self.connections.select(user, client=client, session=session, whitelist=whitelist):
            one.disconnect(disconnect)

    async def refresh(
        self, user: str, *, client: str, session: str, expired: bool, expire_at: int, info: bytes
    ) -> None:
        """Move the expiry of matching connections (05 §6.6)."""
        for one in self.connections.select(user, client=client, session=session):
            one.refresh_by_server(expired=expired, expire_at=expire_at, info=info)

    # ------------------------------------------------------------------------------------------ the cluster

    async def info(self) -> list[NodeInfo]:
        """The nodes of the cluster, as each has last announced itself."""
        return [structs.replace(self._announced, uptime=int(time.monotonic() - self._started))]

    def announce(self) -> None:
        """Take stock of this node. To be called every 3 s (07 §14.5)."""
        now = time.monotonic()
        if now - self._metrics_at >= self._metrics_interval:
            self._metrics_at = now
            self._metrics = NodeMetrics(self._metrics_interval, self._gauges())
        self._announced = NodeInfo(
            uid=self.uid,
            name=self.name,
            version=self.version,
            num_clients=len(self.connections),
            num_users=self.connections.user_count,
            num_subs=self.hub.subscription_count,
            num_channels=sum(1 for _ in self.hub.active_channels()),
            metrics=self._metrics,
        )

    def _gauges(self) -> dict[str, float]:
        counts = {
            "num_clients": len(self.connections),
            "num_users": self.connections.user_count,
            "num_subscriptions": self.hub.subscription_count,
            "num_channels": sum(1 for _ in self.hub.active_channels()),
            "num_nodes": 1,
        }
        return {f"{self._metrics_name}.node.{name}": float(count) for name, count in counts.items()}

    async def channels(self, pattern: str) -> dict[str, int]:
        """Active channels that match a glob (empty: all) with their number of subscriptions. Raises error 100 on an
        invalid pattern."""
        try:
            matches = compile_glob(pattern) if pattern else None
        except GlobError as error:
            log.info("invalid channel pattern", pattern=pattern, error=str(error))
            raise ReplyError(ERROR_INTERNAL) from error
        return {
            channel.name: channel.count
            for channel in self.hub.active_channels()
            if matches is None or matches(channel.name)
        }

    def shut_down(self) -> None:
        """Close every connection with 3001; the broker's subscriptions end with the broker (07 §1.5)."""
        self.shutting_down = True
        self._subscriptions.close()
        for session in self.connections.all():
            session.disconnect(DISCONNECT_SHUTDOWN)
