"""Metrics of the server API (10 B.5)."""

from __future__ import annotations

from fanjet.telemetry.metrics import Registry
from fanjet.telemetry.metrics.registry import DEFAULT_BOUNDS


class ApiMetrics:
    """Durations and errors of API commands, shared by all protocols."""

    def __init__(self, registry: Registry | None = None) -> None:
        registry = Registry() if registry is None else registry
        self.durations = registry.timing(
            "api_command_duration_seconds", "Time that API commands take", "protocol", "method", bounds=DEFAULT_BOUNDS
        )
        self.errors = registry.counter(
            "api_command_errors_total", "API commands that failed", "protocol", "method", "error"
        )
        self.rpc_methods = registry.timing(
            "api_rpc_duration_seconds", "Time that procedures take", "protocol", "method", bounds=DEFAULT_BOUNDS
        )
