"""Traces of API calls, sent to a collector (10 F, L 17)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.support.collector import collecting
from tests.support.grpc_client import KEY, api_call, channel
from tests.support.server import API_KEY, ApiError, free_port

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.server import Server

TRACED: dict[str, Any] = {"opentelemetry": {"enabled": True, "api": True}}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


async def start(private_server: StartServer, monkeypatch: pytest.MonkeyPatch, **environment: str) -> Server:
    for name, value in ({"OTEL_BSP_SCHEDULE_DELAY": "50"} | environment).items():
        monkeypatch.setenv(name, value)
    return await asyncio.to_thread(private_server, TRACED)


def attributes(span: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes}


async def test_an_api_call_is_a_span_in_the_trace_of_its_caller(
    private_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collecting() as (collector, url):
        server = await start(
            private_server,
            monkeypatch,
            OTEL_EXPORTER_OTLP_ENDPOINT=url,
            OTEL_SERVICE_NAME="chat",
            OTEL_RESOURCE_ATTRIBUTES="region=eu",
        )
        headers = {"X-API-Key": API_KEY, "traceparent": f"00-{TRACE}-{PARENT}-01"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{server.url}/api/publish", json={"channel": "news", "data": {}}) as response,
        ):
            assert response.status == 200
        span = await collector.span()
        assert span.name == "POST /api/publish"
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
        assert attributes(span)["centrifugo.channel"] == "news"
        assert collector.resource["service.name"] == "chat"
        assert collector.resource["region"] == "eu"
        assert collector.resource["service.instance.id"] == (await server.api("info"))["nodes"][0]["uid"]


async def test_refused_and_failed_calls_are_spans_too(
    private_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collecting() as (collector, url):
        server = await start(private_server, monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=url)
        async with aiohttp.ClientSession() as session, session.post(f"{server.url}/api/info") as response:
            assert response.status == 401
        span = await collector.span()
        assert (span.name, attributes(span)["http.response.status_code"]) == ("POST /api/info", 401)
        with pytest.raises(ApiError):
            await server.api("publish", {"channel": "nowhere:a", "data": {}})
        span = await collector.span()
        assert (span.status.code, span.status.message) == (2, "102: unknown channel")
        await server.api("broadcast", {"channels": ["a", "b"], "data": {}})
        assert attributes(await collector.span())["centrifugo.num_channels"] == 2


async def test_a_grpc_call_is_a_span_in_the_trace_of_its_caller(
    private_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collecting() as (collector, url):
        port = free_port()
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        api = {"enabled": True, "address": "127.0.0.1", "port": port, "key": API_KEY}
        await asyncio.to_thread(private_server, TRACED | {"grpc_api": api})
        async with channel(port) as to:
            await api_call(to, "Publish", {"channel": "news"}, (KEY, ("traceparent", f"00-{TRACE}-{PARENT}-01")))
        span = await collector.span()
        assert span.name.endswith("CentrifugoApi/Publish")
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
        assert attributes(span)["rpc.system"] == "grpc"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "foo", "foo"),
        ("OTEL_RESOURCE_ATTRIBUTES", "region", "region"),
    ],
)
async def test_what_cannot_be_exported_keeps_the_server_from_starting(
    private_server: StartServer, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    with pytest.raises(RuntimeError, match=f"exit status 1:(.|\n)*{name}.*{told}"):
        await start(private_server, monkeypatch, **{name: value})
