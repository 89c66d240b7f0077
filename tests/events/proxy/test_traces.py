"""Calls to backends as spans (`fanjet.opentelemetry_proxies`), and the trace context that goes along with them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.events.proxy.configs import proxied, proxy
from tests.support.backend import http_backend, status
from tests.support.collector import collecting
from tests.support.tokens import token
from tests.support.wire_client import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import StartServer
    from tests.support.collector import Collector
    from tests.support.grpc_backend import GrpcBackend
    from tests.support.server import Server

TRACED: dict[str, Any] = {"opentelemetry": {"enabled": True}, "fanjet": {"opentelemetry_proxies": True}}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CLIENT_SPAN = 3


@asynccontextmanager
async def traced(
    private_server: StartServer, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> AsyncIterator[tuple[Server, Collector]]:
    async with collecting() as (collector, url):
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        yield await asyncio.to_thread(private_server, TRACED | config), collector


def attributes(span: Any) -> dict[str, Any]:
    return {item.key: item.value.string_value for item in span.attributes}


def context(headers: Any) -> tuple[str, str]:
    _, trace, parent, _ = headers["traceparent"].split("-")
    return trace, parent


async def test_a_call_is_a_span_that_the_backend_is_told(
    private_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http_backend() as backend, traced(private_server, monkeypatch, proxied(backend.base)) as (at, collector):
        backend.on("connect", {"result": {"user": "ann"}})
        async with connected(at) as client:
            span = await collector.span()
            assert (span.name, span.kind, span.status.code) == ("proxy connect", CLIENT_SPAN, 0)
            assert attributes(span) == {"centrifugo.proxy": "default", "centrifugo.client": client.client_id}
            assert context(backend.requests[0].headers) == (span.trace_id.hex(), span.span_id.hex())
            await client.send({"id": 7, "subscribe": {"channel": "asked:room"}})
            assert attributes(await collector.span())["centrifugo.channel"] == "asked:room"


async def test_it_belongs_to_the_trace_of_the_connection_where_the_proxy_is_told_of_that(
    private_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http_backend() as backend:
        told = {"rpc": {"proxy": proxy(f"{backend.base}/rpc", http_headers=["traceparent"])}}
        async with traced(private_server, monkeypatch, proxied(backend.base, told)) as (at, collector):
            backend.on("connect", {"result": {"user": "ann"}})
            async with connected(at, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"}) as client:
                await collector.span()
                await client.send({"id": 7, "rpc": {"method": "sum"}})
                span = await collector.span()
            assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
            assert attributes(span)["centrifugo.method"] == "sum"
            assert context(backend.requests[-1].headers) == (TRACE, span.span_id.hex())


async def test_a_failure_is_told_an_answer_with_an_error_is_none(
    private_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http_backend() as backend, traced(private_server, monkeypatch, proxied(backend.base)) as (at, collector):
        backend.on("connect", {"result": {"user": "ann"}})
        async with connected(at) as client:
            await collector.span()
            backend.on("rpc", status(500))
            await client.send({"id": 7, "rpc": {"method": "m"}})
            span = await collector.span()
            assert (span.status.code, span.status.message) == (2, "unexpected HTTP status code: 500")
            backend.on("rpc", {"error": {"code": 1000, "message": "no"}})
            await client.send({"id": 8, "rpc": {"method": "m"}})
            assert (await collector.span()).status.code == 0


@pytest.mark.parametrize("streamed", [False, True])
async def test_calls_over_grpc_and_streams_are_spans_too(
    private_server: StartServer, monkeypatch: pytest.MonkeyPatch, grpc_application: GrpcBackend, streamed: bool
) -> None:
    address = f"127.0.0.1:{grpc_application.port}"
    config = proxied(address, {"channel": {"proxy": {"subscribe_stream": proxy(address)}}})
    config["channel"]["namespaces"].append({"name": "fed", "subscribe_stream_proxy_enabled": True})
    async with traced(private_server, monkeypatch, config) as (at, collector), connected(at, token("7")) as client:
        await client.send({"id": 7, "subscribe": {"channel": "fed:room" if streamed else "asked:room"}})
        if streamed:
            (await grpc_application.next_stream()).accept()
        span = await collector.span()
        assert span.name == ("proxy subscribe_stream" if streamed else "proxy subscribe")
        assert context(grpc_application.calls[-1].metadata) == (span.trace_id.hex(), span.span_id.hex())
