"""Metrics of calls to backends (10 B.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.telemetry.metrics.registry import DEFAULT_BOUNDS

if TYPE_CHECKING:
    from fanjet.telemetry.metrics import Counter, Gauge, Registry, Timing


class ProxyMetrics:
    """Registers proxy metrics and creates the observers of proxies."""

    def __init__(self, registry: Registry) -> None:
        labels = ("protocol", "type", "name")
        self._durations = registry.timing(
            "proxy_duration_seconds", "Time that calls to backends take", *labels, bounds=DEFAULT_BOUNDS
        )
        self._errors = registry.counter("proxy_errors", "Calls to backends that failed", *labels)
        self._unknown_replies = registry.counter(
            "proxy_unknown_replies", "Replies of backends that have keys, none of them known", *labels
        )
        self._inflight = registry.gauge("proxy_inflight_requests", "Calls that backends have not answered yet", *labels)

    def __call__(self, protocol: str, event_type: str, name: str) -> MetricsObserver:
        """Create the observer of one proxy, whose series are exposed from the start."""
        labels = (protocol, event_type, name)
        return MetricsObserver(
            self._durations.cell(*labels, shown=True),
            self._errors.cell(*labels, shown=True),
            self._inflight.cell(*labels, shown=True),
            self._unknown_replies.cell(*labels, shown=True),
        )


class MetricsObserver:
    """The `CallObserver` that counts the calls of one proxy."""

    __slots__ = ("_durations", "_errors", "_inflight", "_unknown_replies")

    def __init__(self, durations: Timing, errors: Counter, inflight: Gauge, unknown_replies: Counter) -> None:
        self._durations = durations
        self._errors = errors
        self._inflight = inflight
        self._unknown_replies = unknown_replies

    def on_start(self) -> None:
        """Count a call in flight."""
        self._inflight.value += 1

    def on_response(self, seconds: float) -> None:
        """Count a call that got a response."""
        self._inflight.value -= 1
        self._durations.observe(seconds)

    def on_failure(self, seconds: float) -> None:
        """Count a failed call."""
        self._inflight.value -= 1
        self._durations.observe(seconds)
        self._errors.value += 1

    def on_cancel(self) -> None:
        """Count a cancelled call."""
        self._inflight.value -= 1

    def on_unknown_reply(self) -> None:
        """Count an unknown reply."""
        self._unknown_replies.value += 1
