"""Metrics of connections to engines (10 B.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.telemetry.metrics.registry import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fanjet.telemetry.metrics import Registry


class EngineMetrics:
    """Metrics of all brokers, by name; the default broker has an empty name."""

    def __init__(self, registry: Registry) -> None:
        self.redis = PubSubMetrics(registry, "broker", ("client", "control"))
        self.redis_maps = PubSubMetrics(registry, "map_broker", ("client",))


def register_silence_gauge(registry: Registry, silences: Callable[[], Mapping[tuple[str, str], float]]) -> None:
    """Register the gauge of `silences`.

    It gives the seconds since the last message, by kind and name of the engine. The metric does not exist in
    Centrifugo, so it has the prefix `fanjet` in every metrics namespace.
    """

    def read() -> list[Sample]:
        return [
            Sample("", (("broker_name", name), ("engine", kind)), silence)
            for (kind, name), silence in silences().items()
        ]

    help_ = "Time since the last message from the engine; probes bound it where there are no messages"
    registry.add_reader("fanjet_engine_silence_seconds", help_, "gauge", read)


class PubSubMetrics:
    """Metrics of PUB/SUB connections to Redis."""

    def __init__(self, registry: Registry, kind: str, channel_types: tuple[str, ...]) -> None:
        self.errors = registry.counter(
            f"{kind}_redis_pub_sub_errors", "Failures of PUB/SUB connections to Redis", "broker_name", "error"
        )
        self.dropped = registry.counter(
            f"{kind}_redis_pub_sub_dropped_messages",
            "Messages from Redis that were dropped because too many waited",
            *("broker_name", "channel_type"),
        )
        self.buffered = registry.gauge(
            f"{kind}_redis_pub_sub_buffered_messages",
            "Messages from Redis queued in this process: none, a slow node reads more slowly",
            *("broker_name", "channel_type", "pub_sub_processor"),
        )
        for channel_type in channel_types:
            self.dropped.cell("", channel_type, shown=True)

    def error_counter(self, broker_name: str = "", channel_type: str = "client") -> Callable[[str], None]:
        """A function that counts an error of a broker.

        With `control`, of its controller. Error names are in 07 §24.
        """
        self.buffered.cell(broker_name, channel_type, "0", shown=True)

        def count(error: str) -> None:
            self.errors.cell(broker_name, error).value += 1

        return count
