"""The node: a facade over hub, connections, broker and presence.

Used by sessions and the server API.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any, Final

from fanjet.engines.failure_log import log_failure
from fanjet.engines.interfaces import HistoryNotAvailable
from fanjet.engines.metrics import register_silence_gauge
from fanjet.net.glob import GlobError
from fanjet.protocol.codes import (
    DISCONNECT_SHUTDOWN,
    ERROR_BAD_REQUEST,
    ERROR_INTERNAL,
    ERROR_NOT_AVAILABLE,
    ERROR_UNRECOVERABLE_POSITION,
    ReplyError,
)
from fanjet.telemetry.logging import get_logger

from .broker_subscriptions import BrokerSubscriptions
from .cluster.surveys import SurveyTimeout
from .connection_operations import ConnectionOperations
from .connections import Connections
from .draining import drain
from .extension_surveys import ExtensionSurveys, SurveyResults
from .flusher import Flusher
from .hub import Hub
from .metrics import NodeMetrics
from .node_info import NodeInfoCollector
from .position_checks import PositionChecks
from .presence import CountedPresence
from .registry import UnknownNode
from .surveys import CHANNELS, EMULATION, SurveyResponder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping

    from fanjet.channels.namespaces import Namespaces
    from fanjet.channels.subscription import SubscriptionOptions
    from fanjet.config.tree.channel import ChannelOptions
    from fanjet.engines.factory import Engines
    from fanjet.engines.interfaces import Controller, History, Published, PublishOptions, RevocationEvents
    from fanjet.protocol.codes import Disconnect, Unsubscribe
    from fanjet.protocol.messages import EmulationRequest
    from fanjet.protocol.publication import ClientInfo, StreamPosition

    from .channel import LiveChannel
    from .cluster.cluster import Cluster
    from .connection_filter import ConnectionFilter
    from .registry import NodeInfo
    from .rpc_methods import RPCMethod
    from .subscriber import Subscriber

log = get_logger(__name__)

SURVEY_SECONDS: Final = 9.0
"""Survey timeout: a longer one would exceed the HTTP timeout (05 Q8)."""
EMULATION_SECONDS: Final = 10.0


class Node:
    """One node of the cluster.

    `open_engines` gets the hub, to which the broker reports, and the node's id. `namespaces` change on reload: nothing
    caches their results.
    """

    def __init__(
        self,
        *,
        name: str,
        version: str,
        namespaces: Namespaces,
        open_engines: Callable[[RevocationEvents, str], Engines],
        max_message: int = 0,
        max_lag: float = 0.0,
        metrics: NodeMetrics | None = None,
        metrics_interval: float = 60.0,
    ) -> None:
        """Create the node; it is connected to the engines that `open_engines` opens.

        The metrics snapshot for other nodes is renewed every `metrics_interval` seconds.
        """
        self.uid = str(uuid.uuid4())
        self.name = name
        self.namespaces = namespaces
        self.flusher = Flusher(asyncio.get_running_loop())
        self.metrics = NodeMetrics() if metrics is None else metrics
        self.metrics.set_version(version)
        self.hub = Hub(self.flusher, self.metrics, max_message=max_message, max_lag=max_lag)
        engines = open_engines(self.hub, self.uid)
        self.broker = engines.broker
        self.keeps_order: bool = getattr(self.broker, "keeps_order", False)
        """See `OrderedBroker`."""
        self.presence_manager = CountedPresence(engines.presence_manager, self.metrics)
        self._controller = engines.controller
        self._engines = engines
        register_silence_gauge(self.metrics.registry, lambda: engines.silences)
        self.connections = Connections()
        self.shutting_down = False
        self.rpc_methods: Mapping[str, RPCMethod] = {}
        self._subscriptions = BrokerSubscriptions(self.hub, self.broker)
        self._position_checks = PositionChecks(self.hub, self._check_position)
        self._operations = ConnectionOperations(self.connections)
        self._survey_responder = SurveyResponder(self.connections, self.hub)
        self.extension_surveys = ExtensionSurveys()
        self._node_info = NodeInfoCollector(
            self.connections,
            self.hub,
            uid=self.uid,
            name=name,
            version=version,
            metrics=self.metrics,
            metrics_interval=metrics_interval,
        )
        self.cluster: Cluster | None = None
        """The other nodes, once this one has joined them."""

    async def start(self) -> None:
        """Connect the engines, then make this node known to the others (07 §1.5).

        Raises `EngineUnavailable`.
        """
        cluster = None
        if self._controller is not None:
            cluster = await self._start_cluster(self._controller)
        await self.broker.start()
        await self.presence_manager.start()
        if cluster is not None:
            await cluster.announce(self._node_info.collect())
            self.cluster = cluster

    async def _start_cluster(self, controller: Controller) -> Cluster:
        from .cluster.cluster import Cluster  # noqa: PLC0415 (Protobuf takes 10 MB, which a single node does not need)

        cluster = Cluster(
            controller,
            self._node_info.collect,
            operations=self._operations,
            survey_responder=self._survey_responder,
            extension_surveys=self.extension_surveys,
            metrics=self.metrics,
        )
        register_last_will = getattr(controller, "register_last_will", None)
        if register_last_will is not None:
            register_last_will(cluster.last_will)
        await controller.start(cluster.on_control)
        return cluster

    def lost_engines(self) -> set[str]:
        """Engines that are unreachable or have stopped responding."""
        return self._engines.outages

    # ------------------------------------------------------------------------------------------ channels

    def change_namespaces(self, namespaces: Namespaces) -> None:
        """Apply the namespaces of a reloaded configuration."""
        self.namespaces = namespaces
        self._subscriptions.resubscribe_misrouted()

    def resolve(self, channel: str) -> ChannelOptions:
        """Options of a channel. Raises error 102 when its namespace does not exist."""
        return self.namespaces.resolve(channel).options

    def subscribe_channel(self, subscriber: Subscriber) -> Awaitable[None]:
        """Register a subscriber.

        The result completes once the broker delivers its channel, and is `DONE` if it does already.
        `unsubscribe_channel` removes the subscriber, also after a failure.
        """
        channel = self.hub.add(subscriber)
        if subscriber.delivery.delta:
            channel.keeps_latest = self.resolve(channel.name).keep_latest_publication
        if channel.count == 1:
            channel.metrics.actions["broker_subscribe"].value += 1
        return self._subscriptions.ensure(channel)

    def is_subscribing(self, channel: str) -> bool:
        """Whether a broker call for the channel is under way."""
        live = self.hub.channels.get(channel)
        return live is not None and live.pending is not None

    def prefetch_channels(self, channels: Iterable[str]) -> None:
        """Subscribe to channels whose subscribers are about to arrive."""
        self._subscriptions.prefetch(channels)

    def unsubscribe_channel(self, subscriber: Subscriber) -> None:
        """Remove a subscriber; the broker's subscription follows when it was the last one."""
        empty = self.hub.remove(subscriber)
        if empty is not None:
            self._subscriptions.release(empty)

    def publish(self, channel: str, data: bytes, options: PublishOptions) -> Awaitable[Published]:
        """Publish into a channel (05 §6.1, §7).

        Returns a `Published` if nothing has to be awaited, like the broker.
        """
        metrics = self.metrics.every_channel or self.metrics.of(channel)
        metrics.sent_publication.value += 1
        if options.idempotency_key or options.version:
            return self._publish_deduplicated(channel, data, options)
        return self.broker.publish(channel, data, options)

    async def _publish_deduplicated(self, channel: str, data: bytes, options: PublishOptions) -> Published:
        """Publish what may turn out to be a duplicate."""
        published = await self.broker.publish(channel, data, options)
        if published.suppressed:
            self.metrics.of(channel).suppressed[published.suppressed].value += 1
        return published

    def publish_join(self, channel: str, info: ClientInfo) -> Coroutine[Any, Any, None]:
        """Publish the join of a subscription to all nodes."""
        self.metrics.of(channel).sent_join.value += 1
        return self.broker.publish_join(channel, info)

    def publish_leave(self, channel: str, info: ClientInfo) -> Coroutine[Any, Any, None]:
        """Publish the leave of a subscription to all nodes."""
        self.metrics.of(channel).sent_leave.value += 1
        return self.broker.publish_leave(channel, info)

    async def history(
        self, channel: str, *, since: StreamPosition | None, limit: int, reverse: bool, meta_ttl: int
    ) -> History:
        """Read a stream for a client or the API (07 §2.2).

        Raises error 107 for a reverse read from offset 0, 108 when the broker keeps no history, 112 for a position of
        another epoch.
        """
        if reverse and since is not None and since.offset == 0:
            raise ReplyError(ERROR_BAD_REQUEST)
        self.metrics.of(channel).count("history")
        try:
            history = await self.broker.history(channel, since=since, limit=limit, reverse=reverse, meta_ttl=meta_ttl)
        except HistoryNotAvailable:
            raise ReplyError(ERROR_NOT_AVAILABLE) from None
        if since is not None and since.epoch and since.epoch != history.top.epoch:
            raise ReplyError(ERROR_UNRECOVERABLE_POSITION)
        return history

    async def remove_history(self, channel: str) -> None:
        """Drop a channel's stored publications."""
        self.metrics.of(channel).count("history_remove")
        await self.broker.remove_history(channel)

    async def presence(self, channel: str) -> dict[str, ClientInfo]:
        """Clients in a channel, by client id."""
        return await self.presence_manager.presence(channel)

    async def presence_stats(self, channel: str) -> tuple[int, int]:
        """Numbers of clients and users in a channel."""
        return await self.presence_manager.presence_stats(channel)

    async def check_position(self, channel: LiveChannel, meta_ttl: int) -> bool:
        """Compare the positions of the channel's subscribers with its stream's top.

        Subscriptions that have missed publications end (07 §20). Returns False when the stream could not be read.
        """
        desynchronised = await self._desynchronised(channel, meta_ttl)
        if desynchronised and self._confirms_mismatch(
            channel.name
        ):  # the first read may have found a publication still in transit
            desynchronised = await self._desynchronised(channel, meta_ttl)
        for subscriber in desynchronised or ():
            subscriber.session.on_insufficient_state(subscriber)
        return desynchronised is not None

    def _confirms_mismatch(self, channel: str) -> bool:
        try:
            return self.resolve(channel).shared_position_sync
        except ReplyError:
            return False  # the namespace was removed

    async def _desynchronised(self, channel: LiveChannel, meta_ttl: int) -> list[Subscriber] | None:
        before = (channel.offset, channel.epoch)
        channel.metrics.read("history_stream_top")
        try:
            top = (await self.broker.history(channel.name, limit=0, meta_ttl=meta_ttl)).top
        except Exception as error:
            log_failure(log, "error checking stream position", error, channel=channel.name)
            return None
        if (channel.offset, channel.epoch) != before:
            return []  # publications delivered during the read may be newer than its result
        return channel.desynchronised_subscribers(top.offset, top.epoch)

    async def _check_position(self, channel: LiveChannel) -> None:
        try:
            meta_ttl = int(self.resolve(channel.name).history_meta_ttl)
        except ReplyError:
            return  # the namespace was removed: the subscriptions end in other ways
        if not await self.check_position(channel, meta_ttl):
            channel.checked_at = 0.0  # due at the next periodic check

    # ------------------------------------------------------------------------------------------ emulation

    async def emulate(self, request: EmulationRequest) -> None:
        """Run commands on their connection, wherever it is, and wait for them (02 §7.4).

        Raises `UnknownNode`; a missing connection and invalid data are ignored.
        """
        session, data = request.session, bytes(request.data)
        if request.node == self.uid:
            with self.metrics.surveying(EMULATION):
                await self._survey_responder.emulate(session, data)
        elif self.cluster is not None and request.node in self.cluster.registry:
            await self.cluster.emulate(request.node, session, data, EMULATION_SECONDS)
        else:
            raise UnknownNode(request.node)

    # ------------------------------------------------------------------------------------------ connections (API)

    async def subscribe(
        self,
        connection_filter: ConnectionFilter,
        channel: str,
        options: SubscriptionOptions,
        since: StreamPosition | None,
    ) -> None:
        """Subscribe connections (05 §6.3). Raises error 100 when one on this node failed."""
        if self.cluster is not None:
            await self.cluster.subscribe(connection_filter, channel, options, since)
        await self._operations.subscribe(connection_filter, channel, options, since)

    async def unsubscribe(self, connection_filter: ConnectionFilter, channel: str, unsubscribe: Unsubscribe) -> None:
        """Unsubscribe connections (05 §6.4)."""
        if self.cluster is not None:
            await self.cluster.unsubscribe(connection_filter, channel, unsubscribe)
        await self._operations.unsubscribe(connection_filter, channel, unsubscribe)

    async def disconnect(self, connection_filter: ConnectionFilter, disconnect: Disconnect) -> None:
        """Close connections (05 §6.5)."""
        if self.cluster is not None:
            await self.cluster.disconnect(connection_filter, disconnect)
        self._operations.disconnect(connection_filter, disconnect)

    async def refresh(self, connection_filter: ConnectionFilter, *, expired: bool, expire_at: int, info: bytes) -> None:
        """Set the expiry of connections (05 §6.6)."""
        if self.cluster is not None:
            await self.cluster.refresh(connection_filter, expired=expired, expire_at=expire_at, info=info)
        self._operations.refresh(connection_filter, expired=expired, expire_at=expire_at, info=info)

    # ------------------------------------------------------------------------------------------ the cluster

    def announce(self) -> None:
        """Collect this node's info and send it to the other nodes.

        Called every 3 s (07 §14.5).
        """
        own = self._node_info.collect()
        if self.cluster is not None:
            self.cluster.heartbeat(own)
            self._node_info.node_count = len(self.cluster.registry)

    async def info(self) -> list[NodeInfo]:
        """The nodes of the cluster, as last announced."""
        others = [] if self.cluster is None else self.cluster.registry.other_nodes()
        return [self._node_info.current(), *others]

    async def channels(self, pattern: str, *, within: float = SURVEY_SECONDS) -> dict[str, int]:
        """Active channels of all nodes that match a glob, with subscription counts.

        An empty glob matches all. Raises error 100 on an invalid pattern, and when a node does not answer `within`
        so many seconds.
        """
        try:
            if self.cluster is not None:
                return await self.cluster.channels(pattern, within)
            with self.metrics.surveying(CHANNELS):
                return self._survey_responder.channels(pattern)
        except GlobError as error:
            log.info("invalid channel pattern", pattern=pattern, error=str(error))
            raise ReplyError(ERROR_INTERNAL) from error
        except SurveyTimeout as error:
            log.error("error asking other nodes for their channels", error=error)
            raise ReplyError(ERROR_INTERNAL) from error

    async def drain(self, seconds: float) -> None:
        """Accept no more clients, and disconnect the current ones with 3001.

        The disconnects are spread over `seconds`; other nodes are not notified.
        """
        self.shutting_down = True
        if seconds > 0:
            await drain(self.connections, seconds)

    async def survey(self, name: str, question: bytes, *, within: float, to: str = "") -> SurveyResults:
        """Run an extension survey of one node, or of all, this one included.

        It waits `within` seconds at most. Nodes that cannot be reached are missing.
        """
        if self.cluster is None or to == self.uid:
            return await self._local_survey(name, question, [])
        others = [one for one in self.cluster.registry.other_nodes() if not to or one.uid == to]
        try:
            results = await self.cluster.survey(name, question, within, to=to)
        except Exception as error:
            log_failure(log, "error asking other nodes", error, question=name)
            return SurveyResults({}, others) if to else await self._local_survey(name, question, others)
        return SurveyResults(results, [one for one in others if one.uid not in results])

    async def _local_survey(self, name: str, question: bytes, silent: list[NodeInfo]) -> SurveyResults:
        respond = self.extension_surveys.survey_handler(name)
        return SurveyResults({} if respond is None else {self.uid: await respond(question)}, silent)

    async def notify(self, name: str, data: bytes, *, to: str = "") -> None:
        """Send a notification to one other node, or to all. Failures are logged."""
        if self.cluster is not None:
            try:
                await self.cluster.notify(name, data, to=to)
            except Exception as error:
                log_failure(log, "error telling other nodes", error, notice=name)

    async def shut_down(self) -> None:
        """Notify the other nodes, then disconnect all clients with 3001.

        The broker's subscriptions end with the broker (07 §1.5).
        """
        self.shutting_down = True
        if self.cluster is not None:
            await self.cluster.announce_shutdown()
        self._subscriptions.close()
        for session in self.connections.all():
            session.disconnect(DISCONNECT_SHUTDOWN)

    async def close(self) -> None:
        """Close the engines. Connections have ended."""
        self._position_checks.stop()
        if self.cluster is not None:
            await self.cluster.close()
        await self.broker.close()
        await self.presence_manager.close()
        if self._controller is not None:
            await self._controller.close()
