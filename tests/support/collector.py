"""A collector that takes traces and metrics by OpenTelemetry's protocol over HTTP."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATIENCE = 20


class Collector:
    """What has come in, in order."""

    def __init__(self) -> None:
        self.spans: asyncio.Queue[Any] = asyncio.Queue()
        self.metrics: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.resource: dict[str, str] = {}
        self.headers: dict[str, str] = {}

    async def span(self) -> Any:
        return await asyncio.wait_for(self.spans.get(), PATIENCE)

    async def next_metrics(self) -> dict[str, Any]:
        """The metrics of the next request by their names."""
        return await asyncio.wait_for(self.metrics.get(), PATIENCE)

    async def take_spans(self, request: web.Request) -> web.Response:
        for group in ExportTraceServiceRequest.FromString(await self._body(request)).resource_spans:
            self._note_resource(group.resource)
            for scope in group.scope_spans:
                for span in scope.spans:
                    self.spans.put_nowait(span)
        return web.Response()

    async def take_metrics(self, request: web.Request) -> web.Response:
        for group in ExportMetricsServiceRequest.FromString(await self._body(request)).resource_metrics:
            self._note_resource(group.resource)
            self.metrics.put_nowait({metric.name: metric for scope in group.scope_metrics for metric in scope.metrics})
        return web.Response()

    async def _body(self, request: web.Request) -> bytes:
        self.headers = dict(request.headers)
        body = await request.read()
        is_compressed = request.headers.get("Content-Encoding") == "gzip" and body[:2] == b"\x1f\x8b"
        return gzip.decompress(body) if is_compressed else body

    def _note_resource(self, resource: Any) -> None:
        self.resource = {item.key: item.value.string_value for item in resource.attributes}


@asynccontextmanager
async def collecting() -> AsyncIterator[tuple[Collector, str]]:
    """A collector and the address for `OTEL_EXPORTER_OTLP_ENDPOINT`."""
    collector = Collector()
    application = web.Application()
    application.router.add_post("/v1/traces", collector.take_spans)
    application.router.add_post("/v1/metrics", collector.take_metrics)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield collector, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
