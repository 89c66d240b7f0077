"""Metrics of a node (10 B.5)."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from fanjet.telemetry.metrics import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fanjet.protocol.wire import WireFormat
    from fanjet.telemetry.metrics import Counter, Family, Flow

ACTIONS: Final = (
    "add_client",
    "remove_client",
    "add_subscription",
    "remove_subscription",
    "broker_subscribe",
    "broker_unsubscribe",
    "add_presence",
    "remove_presence",
    "presence",
    "presence_stats",
    "history",
    "history_recover",
    "history_recover_cache",
    "history_stream_top",
    "history_remove",
    "survey",
    "notify",
)
_SURVEY_BOUNDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LAG_BOUNDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_BROADCAST_BOUNDS: Final = (
    *(1e-06, 5e-06, 1e-05, 5e-05, 0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0),
)
PUBLICATION, JOIN, LEAVE = "push_publication", "push_join", "push_leave"


class ChannelMetrics:
    """Metrics of channels with one value of the label `channel_namespace`."""

    __slots__ = (
        "_namespace",
        "_sent",
        "_wires",
        "actions",
        "added",
        "broadcast",
        "filtered",
        "lag",
        "received_join",
        "received_leave",
        "received_publication",
        "removed",
        "sent_join",
        "sent_leave",
        "sent_publication",
        "suppressed",
    )

    def __init__(self, families: _Families, namespace: str) -> None:
        shown = not namespace

        def message(family: Family[Counter], kind: str) -> Counter:
            return family.cell(kind, namespace, shown=shown)

        self._namespace = namespace
        self._sent = families.transport_sent
        self._wires: dict[tuple[str, WireFormat], Flow] = {}
        self.sent_publication = message(families.sent, "publication")
        self.sent_join = message(families.sent, "join")
        self.sent_leave = message(families.sent, "leave")
        self.received_publication = message(families.received, "publication")
        self.received_join = message(families.received, "join")
        self.received_leave = message(families.received, "leave")
        self.actions = {action: families.actions.cell(action, namespace) for action in ACTIONS}
        self.added = self.actions["add_subscription"]
        self.removed = self.actions["remove_subscription"]
        self.lag = families.lag.cell(namespace)
        self.broadcast = families.broadcast.cell("publication", namespace)
        self.filtered = families.filtered.cell(namespace)
        self.suppressed = {reason: families.suppressed.cell(reason, namespace) for reason in ("idempotency", "version")}

    def count(self, action: str) -> None:
        """Count an action, one of `ACTIONS`."""
        self.actions[action].value += 1

    def read(self, action: str) -> None:
        """Count a read of the stream, which also counts as `history`."""
        self.actions[action].value += 1
        self.actions["history"].value += 1

    def sent(self, frame_type: str, wire: WireFormat) -> Flow:
        """Counter of messages sent in a wire format.

        Looked up once per group and publication.
        """
        flow = self._wires.get((frame_type, wire))
        if flow is None:
            flow = self._wires[frame_type, wire] = self._sent.cell(
                wire.transport, frame_type, self._namespace, *wire.labels
            )
        return flow


class _Families:
    """The metrics with the label `channel_namespace`."""

    def __init__(self, registry: Registry) -> None:
        counter, histogram = registry.counter, registry.histogram
        self.sent = counter("node_messages_sent_count", "Messages handed to the broker", "type", "channel_namespace")
        self.received = counter(
            "node_messages_received_count", "Messages that came from the broker", "type", "channel_namespace"
        )
        self.actions = counter("node_action_count", "Operations carried out", "action", "channel_namespace")
        self.lag = histogram(
            "node_pub_sub_lag_seconds", "Age of publications as they arrive", "channel_namespace", bounds=_LAG_BOUNDS
        )
        self.broadcast = histogram(
            "node_broadcast_duration_seconds",
            "Time to put a publication into the outboxes of its subscribers",
            "type",
            "channel_namespace",
            bounds=_BROADCAST_BOUNDS,
        )
        self.filtered = counter(
            "node_tags_filter_dropped_publications",
            "Publications that a tags filter kept from a subscriber",
            "channel_namespace",
        )
        self.suppressed = counter(
            "broker_publish_suppressed_count",
            "Publishes that published nothing, by their reason",
            "reason",
            "channel_namespace",
        )
        self.transport_sent = registry.flow(
            "transport_messages_sent",
            "Messages sent to clients",
            "transport",
            "frame_type",
            "channel_namespace",
            about_clients=True,
        )


class NodeMetrics:
    """All metrics of a node.

    `namespace_of` finds a channel's namespace where it is a label; otherwise the label is empty.
    """

    def __init__(self, registry: Registry | None = None, namespace_of: Callable[[str], str] | None = None) -> None:
        registry = Registry() if registry is None else registry
        self.registry = registry
        self._families = families = _Families(registry)
        self._namespace_of = namespace_of
        self.any_channel = ChannelMetrics(families, "")
        """Metrics of channels whose namespace is not a label, and metrics without channel."""
        self._by_namespace = {"": self.any_channel}
        self.every_channel = self.any_channel if namespace_of is None else None
        """The result of `of` when it is the same for all channels: hot paths read it to save the call."""
        self.sent_control = families.sent.cell("control", "", shown=True)
        self.received_control = families.received.cell("control", "", shown=True)
        self._surveys = registry.timing(
            "node_survey_duration_seconds", "Time until all nodes have answered", "op", bounds=_SURVEY_BOUNDS
        )
        self.transport_sent = families.transport_sent
        numbers = ("clients", "users", "subscriptions", "channels", "nodes")
        self._numbers = [registry.gauge(f"node_num_{name}", f"Number of {name}").cell(shown=True) for name in numbers]
        self._build = registry.gauge("node_build", "Always 1: the version is in the label", "version")
        self.added_clients = self.any_channel.actions["add_client"]
        self.removed_clients = self.any_channel.actions["remove_client"]

    def of(self, channel: str) -> ChannelMetrics:
        """The metrics of a channel."""
        if self._namespace_of is None:
            return self.any_channel
        return self.of_namespace(self._namespace_of(channel))

    @property
    def has_namespace_label(self) -> bool:
        """Whether a channel's namespace is a label."""
        return self._namespace_of is not None

    def namespace_of(self, channel: str) -> str:
        """The value of a channel's label `channel_namespace`."""
        return "" if self._namespace_of is None or not channel else self._namespace_of(channel)

    def of_namespace(self, namespace: str) -> ChannelMetrics:
        """The metrics of channels with this label value."""
        metrics = self._by_namespace.get(namespace)
        if metrics is None:
            metrics = self._by_namespace[namespace] = ChannelMetrics(self._families, namespace)
        return metrics

    def publications(self) -> int:
        """Number of publications sent."""
        return int(sum(metrics.sent_publication.value for metrics in self._by_namespace.values()))

    def count(self, action: str) -> None:
        """Count an action without channel."""
        self.any_channel.count(action)

    @contextmanager
    def surveying(self, operation: str) -> Iterator[None]:
        """Count a survey and observe its duration."""
        self.count("survey")
        started = time.perf_counter()
        try:
            yield
        finally:
            self._surveys.cell(operation).observe(time.perf_counter() - started)

    def set_version(self, version: str) -> None:
        """Set the build's version."""
        self._build.cell(version).value = 1

    def set_numbers(self, clients: int, users: int, subscriptions: int, channels: int, nodes: int) -> None:
        """Set the gauges of current numbers."""
        for gauge, number in zip(self._numbers, (clients, users, subscriptions, channels, nodes), strict=True):
            gauge.value = number
