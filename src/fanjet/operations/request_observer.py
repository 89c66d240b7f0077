"""HTTP requests as logs and metrics show them (10 A, G)."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from fanjet.net.http1 import BodyAwaited
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fanjet.net.http1 import Exchange
    from fanjet.net.router import Endpoint
    from fanjet.telemetry.metrics import Registry

    Observer = Callable[[str, Exchange, int, float], None]
    """Gets a request's pattern, the exchange, its status and the seconds that it took."""

log = get_logger(__name__)


def observed(pattern: str, endpoint: Endpoint, observers: Iterable[Observer]) -> Endpoint:
    """An endpoint whose answers are told the observers; the endpoint itself where there are none."""
    watchers = tuple(observers)
    if not watchers:
        return endpoint

    def watched(exchange: Exchange) -> None:
        began = perf_counter()

        def done(status: int) -> None:
            seconds = perf_counter() - began
            for observer in watchers:
                observer(pattern, exchange, status, seconds)

        exchange.watch(done)
        try:
            endpoint(exchange)
        except BodyAwaited as awaited:
            go_on = awaited.go_on or endpoint
            awaited.go_on = observed(pattern, go_on, watchers)
            raise

    return watched


class RequestCounter:
    """Counts requests by the pattern of the route that they came to, never by their own path."""

    def __init__(self, registry: Registry) -> None:
        self._requests = registry.counter(
            "node_incoming_http_requests_total", "HTTP requests that were answered", "path", "method", "status"
        )

    def __call__(self, pattern: str, exchange: Exchange, status: int, _seconds: float) -> None:
        """Count one."""
        self._requests.cell(pattern, exchange.request.method, str(status or 200)).value += 1


def log_request(_pattern: str, exchange: Exchange, status: int, seconds: float) -> None:
    """Write a line at level debug."""
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
    """Where a request comes from, as far as a proxy tells."""
    request = exchange.request
    for name in (b"x-real-ip", b"x-forwarded-for"):
        told = request.headers.get(name)
        if told:
            return told.decode("utf-8", "replace")
    return request.peer
