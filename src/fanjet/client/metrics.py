"""Metrics of client connections and their messages (10 B.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fanjet.protocol.messages import (
    ConnectPush,
    ConnectResult,
    DisconnectPush,
    HistoryResult,
    MessagePush,
    PresenceResult,
    PresenceStatsResult,
    PublishResult,
    RefreshPush,
    RefreshResult,
    RPCResult,
    SubRefreshResult,
    SubscribePush,
    SubscribeResult,
    UnsubscribePush,
    UnsubscribeResult,
)
from fanjet.telemetry.metrics.registry import COMMAND_BOUNDS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from fanjet.node.metrics import NodeMetrics
    from fanjet.telemetry.metrics import Counter, Flow, Gauge, Timing

METHODS: Final = (
    *("connect", "subscribe", "publish", "unsubscribe", "rpc", "presence", "presence_stats", "history", "refresh"),
    *("sub_refresh", "send", "unknown"),
)
PONG: Final = "client_pong"
PING: Final = "server_ping"
_FRAME_TYPES: Final[Mapping[type, str]] = {
    ConnectResult: "connect",
    SubscribeResult: "subscribe",
    PublishResult: "publish",
    UnsubscribeResult: "unsubscribe",
    RPCResult: "rpc",
    PresenceResult: "presence",
    PresenceStatsResult: "presence_stats",
    HistoryResult: "history",
    RefreshResult: "refresh",
    SubRefreshResult: "sub_refresh",
    ConnectPush: "push_connect",
    SubscribePush: "push_subscribe",
    UnsubscribePush: "push_unsubscribe",
    MessagePush: "push_message",
    RefreshPush: "push_refresh",
    DisconnectPush: "push_disconnect",
}
_RECOVERED_BOUNDS: Final = tuple(map(float, (0, 1, 2, 3, 5, 10, 20, 50, 100, 250, 500, 1000, 2000, 5000, 10000)))


class Traffic:
    """Message counters of connections with equal transport, labels and namespace.

    The namespace is that of the messages' channels. `sent` is keyed by the type of the result or push; `errors`,
    `received` and `durations` by the method's name.
    """

    __slots__ = ("durations", "errors", "ping", "pong", "received", "sent")

    def __init__(self, metrics: ClientMetrics, transport: str, namespace: str, labels: tuple[str, ...]) -> None:
        def sent(frame_type: str) -> Flow:
            return metrics.sent.cell(transport, frame_type, namespace, *labels)

        self.received: dict[str, Flow] = {
            method: metrics.received.cell(transport, method, namespace, *labels) for method in (*METHODS, PONG)
        }
        self.pong = self.received[PONG]
        self.ping = sent(PING)
        self.sent: dict[type, Flow] = {kind: sent(name) for kind, name in _FRAME_TYPES.items()}
        if transport.startswith("uni_"):
            self.sent[ConnectResult] = self.sent[
                ConnectPush
            ]  # unidirectional clients get a connect push in place of a reply
        self.errors: dict[str, Flow] = {method: sent(method) for method in METHODS}
        self.durations: dict[str, Timing] = {
            method: metrics.durations.cell(method, namespace, *labels) for method in METHODS
        }


class ConnectionMetrics:
    """Metrics of connections with equal labels.

    Before a connection authenticates, those of its transport.
    """

    __slots__ = (
        "_identity",
        "_labels",
        "_metrics",
        "_name",
        "_subscriptions",
        "_transport",
        "accepted",
        "by_namespace",
        "inflight",
        "pongs",
        "traffic",
    )

    def __init__(
        self, metrics: ClientMetrics, transport: str, identity: tuple[str, str, str], labels: tuple[str, ...]
    ) -> None:
        """`identity`: HTTP version, name and version of the client."""
        self._metrics = metrics
        self.by_namespace = metrics.node.has_namespace_label
        self._transport = transport
        self._name = identity[1]
        self._labels = labels
        self._subscriptions: dict[str, tuple[Gauge, Counter]] = {}
        self.traffic = metrics.traffic(transport, "", labels)
        """Messages without channel, or in channels whose namespace is not a label."""
        self._identity = (transport, *identity, *labels)
        self.pongs = metrics.ping_pong.cell(transport, *labels)
        """Time from ping to pong."""
        self.accepted = metrics.accepted.cell(*self._identity)
        self.inflight = metrics.inflight.cell(*self._identity)

    def add_connection(self) -> None:
        """Count a new connection."""
        self.accepted.value += 1
        self.inflight.value += 1
        if self.accepted.value == 1:
            self._metrics.inflight.cell(*self._identity, shown=True)

    def traffic_in(self, channel: str) -> Traffic:
        """Traffic of a channel's namespace.

        Unless counted `by_namespace`, it is always `traffic`, which hot paths read directly.
        """
        if not self.by_namespace:
            return self.traffic
        namespace = self._metrics.node.namespace_of(channel)
        return self.traffic if not namespace else self._metrics.traffic(self._transport, namespace, self._labels)

    def subscriptions_in(self, channel: str) -> tuple[Gauge, Counter]:
        """Gauge of current and counter of successful subscriptions.

        Both are those of the channel's namespace.
        """
        metrics = self._metrics
        namespace = metrics.node.namespace_of(channel) if self.by_namespace else ""
        cells = self._subscriptions.get(namespace)
        if cells is None:
            labels = (self._name, namespace, *self._labels)
            cells = metrics.subscriptions.cell(*labels, shown=True), metrics.accepted_subscriptions.cell(*labels)
            self._subscriptions[namespace] = cells
        return cells

    def reply_error(self, method: str, code: int, channel: str) -> None:
        """Count an error reply."""
        metrics = self._metrics
        metrics.reply_errors.cell(method, str(code), metrics.node.namespace_of(channel), *self._labels).value += 1

    def unsubscribe(self, code: int, channel: str) -> None:
        """Count a subscription ended by the server."""
        metrics = self._metrics
        metrics.unsubscribes.cell(str(code), metrics.node.namespace_of(channel), *self._labels).value += 1

    def disconnect(self, code: int) -> None:
        """Count a connection closed by the server."""
        self._metrics.disconnects.cell(str(code), *self._labels).value += 1


class ClientMetrics:
    """All client metrics.

    `client_names`: names with label values of their own; `counts_recovered`: whether there is a histogram of recovered
    publications.
    """

    def __init__(
        self, node: NodeMetrics, *, client_names: Collection[str] = (), counts_recovered: bool = False
    ) -> None:
        self.node = node
        self._client_names = frozenset(client_names)
        self._label_names = node.registry.client_labels
        self._no_labels = ("",) * len(self._label_names)
        self._traffic: dict[tuple[str, str, tuple[str, ...]], Traffic] = {}
        self._connections: dict[tuple[str, ...], ConnectionMetrics] = {}
        registry = node.registry
        self.sent = node.transport_sent
        self.received = registry.flow(
            "transport_messages_received",
            "Messages received from clients",
            *("transport", "frame_type", "channel_namespace"),
            about_clients=True,
        )
        self.durations = registry.timing(
            "client_command_duration_seconds",
            "Time that commands of clients take",
            *("method", "channel_namespace"),
            bounds=COMMAND_BOUNDS,
            about_clients=True,
        )
        for method in METHODS:
            self.durations.cell(method, "", *self._no_labels, shown=True)
        self.reply_errors = registry.counter(
            "client_num_reply_errors",
            "Commands answered with an error",
            *("method", "code", "channel_namespace"),
            about_clients=True,
        )
        self.unsubscribes = registry.counter(
            "client_num_server_unsubscribes",
            "Subscriptions that the server has ended",
            *("code", "channel_namespace"),
            about_clients=True,
        )
        self.disconnects = registry.counter(
            "client_num_server_disconnects", "Connections that the server has ended", "code", about_clients=True
        )
        self._recover = registry.counter(
            "client_recover",
            "Subscriptions that asked for what they had missed",
            *("recovered", "channel_namespace", "has_recovered_publications"),
        )
        self._recovered = (
            registry.histogram(
                "client_recovered_publications",
                "Publications of successful recoveries",
                "channel_namespace",
                bounds=_RECOVERED_BOUNDS,
            )
            if counts_recovered
            else None
        )
        self.ping_pong = registry.histogram(
            "client_ping_pong_duration_seconds",
            "Time from a ping to its pong",
            "transport",
            bounds=COMMAND_BOUNDS,
            about_clients=True,
        )
        identity = ("transport", "accept_protocol", "client_name", "client_version")
        self.accepted = registry.counter(
            "client_connections_accepted", "Connections that have authenticated", *identity, about_clients=True
        )
        self.inflight = registry.gauge(
            "client_connections_inflight", "Connections that are authenticated now", *identity, about_clients=True
        )
        self.accepted_subscriptions = registry.counter(
            "client_subscriptions_accepted",
            "Subscriptions that have succeeded",
            *("client_name", "channel_namespace"),
            about_clients=True,
        )
        self.subscriptions = registry.gauge(
            "client_subscriptions_inflight",
            "Subscriptions that there are now",
            *("client_name", "channel_namespace"),
            about_clients=True,
        )
        self._closes = registry.counter(
            "transport_outgoing_close_count", "Close frames sent to clients", "transport", "code"
        )
        self.limited = registry.counter(
            "node_client_connection_limit", "Connections refused because there were too many"
        ).cell(shown=True)

    def traffic(self, transport: str, namespace: str, labels: tuple[str, ...]) -> Traffic:
        """Traffic with these labels."""
        key = (transport, namespace, labels)
        traffic = self._traffic.get(key)
        if traffic is None:
            traffic = self._traffic[key] = Traffic(self, transport, namespace, labels)
        return traffic

    def of_transport(self, transport: str) -> ConnectionMetrics:
        """Metrics of a connection that has not authenticated."""
        return self._of(transport, "", "unnamed", "unversioned", self._no_labels)

    def of_client(
        self, transport: str, accepted: str, name: str, version: str, labels: tuple[str, ...]
    ) -> ConnectionMetrics:
        """Metrics of an authenticated connection.

        `accepted`: the HTTP version, if it is a label; `labels`: see `label_values`.
        """
        known = name in self._client_names
        return self._of(
            transport,
            accepted,
            name if known or not name else "unregistered",
            version if known or not version else "unregistered",
            labels,
        )

    def label_values(self, labels: Mapping[str, str] | None) -> tuple[str, ...]:
        """Those of a connection's labels that are metric labels."""
        if not labels or not self._label_names:
            return self._no_labels
        return tuple(labels.get(name, "") for name in self._label_names)

    def _of(self, transport: str, accepted: str, name: str, version: str, labels: tuple[str, ...]) -> ConnectionMetrics:
        key = (transport, accepted, name, version, *labels)
        metrics = self._connections.get(key)
        if metrics is None:
            identity = (accepted, name or "unnamed", version or "unversioned")
            metrics = self._connections[key] = ConnectionMetrics(self, transport, identity, labels)
        return metrics

    def recover(self, channel: str, publications: int, *, recovered: bool) -> None:
        """Count a subscription that requested recovery."""
        namespace = self.node.namespace_of(channel)
        self._recover.cell(_yes_or_no(recovered), namespace, _yes_or_no(publications > 0)).value += 1
        if recovered and self._recovered is not None:
            self._recovered.cell(namespace).observe(publications)

    def close_frame(self, transport: str, code: int) -> None:
        """Count a WebSocket close frame."""
        self._closes.cell(transport, str(code)).value += 1


def _yes_or_no(condition: bool) -> str:
    return "yes" if condition else "no"
