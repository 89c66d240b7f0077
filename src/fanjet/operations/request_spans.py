"""Requests of the server API as spans (10 F)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.net.http1 import BodyAwaited

if TYPE_CHECKING:
    from fanjet.net.http1 import Exchange
    from fanjet.net.router import Endpoint
    from fanjet.telemetry.traces import Traces


def traced(pattern: str, endpoint: Endpoint, traces: Traces) -> Endpoint:
    """An endpoint whose requests are spans, from before the key is checked until they are answered."""

    def spanned(exchange: Exchange) -> None:
        request = exchange.request
        carrier = {
            name: request.headers.get(name.encode(), b"").decode("latin-1") for name in ("traceparent", "tracestate")
        }
        attributes = {"http.request.method": request.method, "http.route": pattern}
        span = traces.begin(f"{request.method} {pattern}", carrier, attributes)

        def done(status: int) -> None:
            span.set_attribute("http.response.status_code", status)
            span.end()

        exchange.watch(done)
        with traces.current(span):
            try:
                endpoint(exchange)
            except BodyAwaited as awaited:
                awaited.go_on = spanned
                raise

    return spanned
