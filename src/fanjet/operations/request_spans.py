"""Spans for requests of the server API (10 F)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.net.http1 import ContinueRequired

if TYPE_CHECKING:
    from fanjet.net.http1 import Exchange
    from fanjet.net.router import Endpoint
    from fanjet.telemetry.traces import Traces


def with_span(pattern: str, endpoint: Endpoint, traces: Traces) -> Endpoint:
    """Wrap the endpoint so that each request is a span.

    The span lasts from before the key check until the response.
    """

    def traced_endpoint(exchange: Exchange) -> None:
        request = exchange.request
        carrier = {
            name: request.headers.get(name.encode(), b"").decode("latin-1") for name in ("traceparent", "tracestate")
        }
        attributes = {"http.request.method": request.method, "http.route": pattern}
        span = traces.begin(f"{request.method} {pattern}", carrier, attributes)

        def done(status: int) -> None:
            span.set_attribute("http.response.status_code", status)
            span.end()

        exchange.observe(done)
        with traces.current(span):
            try:
                endpoint(exchange)
            except ContinueRequired as awaited:
                awaited.endpoint = traced_endpoint
                raise

    return traced_endpoint
