"""Observers of HTTP requests for logs and metrics (10 A, G)."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from fanjet.net.http1 import ContinueRequired
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fanjet.net.http1 import Exchange
    from fanjet.net.router import Endpoint
    from fanjet.telemetry.metrics import Registry

    Observer = Callable[[str, Exchange, int, float], None]
    """Receives the route's pattern, the exchange, the status and the duration in seconds."""

log = get_logger(__name__)


def with_observers(pattern: str, endpoint: Endpoint, observers: Iterable[Observer]) -> Endpoint:
    """Wrap the endpoint so that observers are called after each response.

    Without observers it is returned unchanged.
    """
    callbacks = tuple(observers)
    if not callbacks:
        return endpoint

    def observing(exchange: Exchange) -> None:
        started_at = perf_counter()

        def done(status: int) -> None:
            seconds = perf_counter() - started_at
            for observer in callbacks:
                observer(pattern, exchange, status, seconds)

        exchange.observe(done)
        try:
            endpoint(exchange)
        except ContinueRequired as awaited:
            go_on = awaited.endpoint or endpoint
            awaited.endpoint = with_observers(pattern, go_on, callbacks)
            raise

    return observing


class RequestCounter:
    """Counts requests by the pattern of their route, never by their path."""

    def __init__(self, registry: Registry) -> None:
        self._requests = registry.counter(
            "node_incoming_http_requests_total", "HTTP requests that were answered", "path", "method", "status"
        )

    def __call__(self, pattern: str, exchange: Exchange, status: int, _seconds: float) -> None:
        """Count a request."""
        self._requests.cell(pattern, exchange.request.method, str(status or 200)).value += 1


def log_request(_pattern: str, exchange: Exchange, status: int, seconds: float) -> None:
    """Log a request at level debug."""
    request = exchange.request
    log.debug(
        "http request",
        method=request.method,
        status=status,
        path=request.path,
        addr=_address(exchange),
        duration=f"{seconds * 1000:.3f}ms",
    )


def _address(exchange: Exchange) -> str:
    """The client's address, from proxy headers if present."""
    request = exchange.request
    for name in (b"x-real-ip", b"x-forwarded-for"):
        forwarded = request.headers.get(name)
        if forwarded:
            return forwarded.decode("utf-8", "replace")
    return request.peer
