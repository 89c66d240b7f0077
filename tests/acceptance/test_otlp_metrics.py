"""Metrics pushed by OpenTelemetry's protocol, and the login at Google (10 F, L)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.collector import collecting

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartServer
    from tests.support.server import Server

METRICS: dict[str, Any] = {"enabled": True, "metrics": True}


async def start(
    private_server: StartServer, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], **environment: str
) -> Server:
    environment = {"OTEL_METRIC_EXPORT_INTERVAL": "200", "OTEL_BSP_SCHEDULE_DELAY": "50"} | environment
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return await asyncio.to_thread(private_server, {"opentelemetry": settings})


def values(points: Any) -> dict[tuple[str, ...], Any]:
    return {tuple(sorted(item.value.string_value for item in point.attributes)): point for point in points}


async def test_every_metric_is_pushed(private_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with collecting() as (collector, url):
        server = await start(private_server, monkeypatch, METRICS, OTEL_EXPORTER_OTLP_ENDPOINT=url)
        for number in range(3):
            await server.api("publish", {"channel": "news", "data": number})
        point: Any = None
        while point is None or point.count < 3:  # the first may have been under way
            pushed = await collector.next_metrics()
            histogram = pushed["centrifugo_api_command_duration_seconds_histogram"].histogram
            point = values(histogram.data_points).get(("http", "publish"))
        assert histogram.aggregation_temporality == 2  # cumulative
        assert sum(point.bucket_counts) == point.count == 3
        assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
        assert not point.HasField("min")
        assert pushed["centrifugo_node_num_nodes"].gauge.data_points[0].as_double == 1
        published = pushed["centrifugo_node_messages_sent_count"].sum
        assert published.is_monotonic
        assert values(published.data_points)[("", "publication")].as_double == 3
        quantiles = values(pushed["centrifugo_api_command_duration_seconds"].gauge.data_points)
        assert 0 < quantiles[("0.5", "http", "publish")].as_double < 10
        counts = values(pushed["centrifugo_api_command_duration_seconds_count"].sum.data_points)
        assert counts[("http", "publish")].as_double == 3
        assert collector.resource["service.name"] == "centrifugo"


async def test_nothing_is_pushed_unless_wanted(private_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with collecting() as (collector, url):
        traces = {"enabled": True, "api": True}
        server = await start(private_server, monkeypatch, traces, OTEL_EXPORTER_OTLP_ENDPOINT=url)
        await server.api("info")
        await collector.span()
        await asyncio.to_thread(server.stop)  # the last metrics would go out now
        assert collector.metrics.empty()


@pytest.mark.parametrize("settings", [METRICS, {"enabled": True, "api": True}], ids=["metrics", "traces"])
async def test_exports_log_in_at_google(
    private_server: StartServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: dict[str, Any]
) -> None:
    async def give_token(_: web.Request) -> web.Response:
        return web.json_response({"access_token": "secret", "expires_in": 3600, "token_type": "Bearer"})

    application = web.Application()
    application.router.add_post("/token", give_token)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    account = service_account(f"http://127.0.0.1:{runner.addresses[0][1]}/token")
    path = tmp_path / "account.json"
    path.write_text(json.dumps(account))
    try:
        async with collecting() as (collector, url):
            server = await start(
                private_server,
                monkeypatch,
                settings | {"google_cloud_adc_auth": True, "resource_detectors": ["aws"]},
                OTEL_EXPORTER_OTLP_ENDPOINT=url,
                GOOGLE_APPLICATION_CREDENTIALS=str(path),
            )
            await server.api("info")
            await (collector.next_metrics() if "metrics" in settings else collector.span())
            assert collector.headers["Authorization"] == "Bearer secret"
    finally:
        await runner.cleanup()


async def test_without_credentials_the_server_does_not_start(
    private_server: StartServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    missing = str(tmp_path / "nothing.json")
    with pytest.raises(RuntimeError, match=r"exit status 1:(.|\n)*google_cloud_adc_auth.*nothing\.json"):
        await start(
            private_server,
            monkeypatch,
            METRICS | {"google_cloud_adc_auth": True},
            GOOGLE_APPLICATION_CREDENTIALS=missing,
        )


def service_account(token_uri: str) -> dict[str, str]:
    key = rsa.generate_private_key(65537, 2048)
    return {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "k",
        "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "client_email": "fanjet@p.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": token_uri,
    }
