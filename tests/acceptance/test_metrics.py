"""The metrics page (10 B, 10 L 4-11, 13, 16). Checks of chapter 10 by their numbers."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import websockets

from tests.support.metrics import CONTRACT, scrape
from tests.support.server import API_KEY, ApiError
from tests.support.tokens import token
from tests.support.waiting import until
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.server import Server

METRICS: dict[str, Any] = {
    "prometheus": {"enabled": True, "recovered_publications_histogram": True},
    "client": {"allow_anonymous_connect_without_token": True},
    "channel": {
        "without_namespace": {"allow_subscribe_for_client": True, "allow_subscribe_for_anonymous": True},
        "namespaces": [
            {
                "name": "kept",
                "history_size": 10,
                "history_ttl": "60s",
                "force_recovery": True,
                "allow_subscribe_for_client": True,
                "allow_subscribe_for_anonymous": True,
                "allow_tags_filter": True,
                "presence": True,
            }
        ],
    },
}


@pytest.fixture
def metered(shared_server: StartServer) -> Server:
    return shared_server(METRICS)


async def test_zero_series_are_there_before_anything_happens(private_server: StartServer) -> None:  # 5
    server = await asyncio.to_thread(private_server, METRICS)
    page = await scrape(server)
    for kind in ("publication", "join", "leave", "control"):
        assert page.value("node_messages_sent_count", type=kind, channel_namespace="") is not None
        assert page.value("node_messages_received_count", type=kind, channel_namespace="") is not None
    assert page.value("node_messages_sent_count", type="publication") == 0
    assert page.value("node_build") == 1
    assert page.value("node_client_connection_limit") == 0
    assert page.value("client_command_duration_seconds_count", method="unknown") == 0
    assert page.value("broker_redis_pub_sub_dropped_messages", broker_name="", channel_type="control") == 0
    assert "process_cpu_seconds_total" in page.names()


async def test_types_and_labels_are_those_of_the_contract(metered: Server, name: str) -> None:
    async with connected(metered) as client:
        await client.subscribe(f"kept:{name}")
        await metered.api("publish", {"channel": f"kept:{name}", "data": {}})
        await client.publication()
    page = await scrape(metered)
    for metric, kind in page.types.items():
        if metric.startswith("centrifugo_"):
            assert CONTRACT[metric.removeprefix("centrifugo_")][0] == kind
    for sample, pairs in page.numbers:
        if not sample.startswith("centrifugo_"):
            continue
        known = sample.removeprefix("centrifugo_")
        for suffix in ("_bucket", "_sum", "_count"):
            known = known if known in CONTRACT else known.removesuffix(suffix)
        labels = {label for label, _ in pairs} - {"le", "quantile"}
        assert labels == set(CONTRACT[known][1])


async def test_connections_are_counted_by_who_they_are(metered: Server) -> None:  # 6
    before = await scrape(metered)
    async with opened(metered) as named, connected(metered):
        await named.connect(name="js", version="1")
        page = await scrape(metered)
        for client in ("unregistered", "unnamed"):
            labels = {"client_name": client, "transport": "websocket", "accept_protocol": ""}
            now = page.value("client_connections_inflight", **labels) or 0
            assert now - (before.value("client_connections_inflight", **labels) or 0) == 1
        assert (page.value("node_num_clients") or 0) - (before.value("node_num_clients") or 0) == 2


async def test_a_publication_is_counted_once_for_each_subscriber(metered: Server, name: str) -> None:  # 7
    async with connected(metered) as one, connected(metered) as other:
        await one.subscribe(name)
        await other.subscribe(name)
        before = await scrape(metered)
        await metered.api("publish", {"channel": name, "data": {"a": 1}})
        await one.publication()
        await other.publication()
        page = await scrape(metered)

    def grown(metric: str, **labels: str) -> float:
        return (page.value(metric, **labels) or 0) - (before.value(metric, **labels) or 0)

    message = len(f'{{"push":{{"channel":"{name}","pub":{{"data":{{"a": 1}}}}}}}}')
    assert grown("transport_messages_sent", frame_type="push_publication", transport="websocket") == 2
    assert grown("transport_messages_sent_size", frame_type="push_publication") == 2 * message
    assert grown("api_command_duration_seconds_count", method="publish", protocol="http") == 1
    assert grown("api_command_duration_seconds_histogram_count", method="publish", protocol="http") == 1
    assert grown("node_messages_sent_count", type="publication") == 1
    assert grown("node_messages_received_count", type="publication") == 1
    assert grown("node_broadcast_duration_seconds_count") == 1


async def test_failed_api_calls_are_counted_by_their_error(metered: Server) -> None:  # 8
    before = await scrape(metered)
    with pytest.raises(ApiError):
        await metered.api("publish", {"channel": "nowhere:a", "data": {}})
    async with (
        aiohttp.ClientSession(headers={"X-API-Key": API_KEY}) as session,
        session.post(f"{metered.url}/api/publish", data="{") as response,
    ):
        assert response.status == 400
    page = await scrape(metered)
    for error in ("102", "unmarshal"):
        labels = {"error": error, "method": "publish", "protocol": "http"}
        now = page.value("api_command_errors_total", **labels) or 0
        assert now - (before.value("api_command_errors_total", **labels) or 0) == 1


async def test_native_histograms_leave_summaries_out(private_server: StartServer) -> None:  # 9, 10
    server = await asyncio.to_thread(private_server, {"prometheus": {"enabled": True, "native_histograms": True}})
    await server.api("info")
    page = await scrape(server)
    assert "\ncentrifugo_api_command_duration_seconds{" not in page.text
    assert page.value("api_command_duration_seconds_histogram_count", method="info") == 1
    assert not any("recovered_publications" in name for name in page.types)


async def test_requests_are_counted_by_route_never_by_their_path(private_server: StartServer) -> None:  # 11
    config = {
        "prometheus": {"enabled": True, "instrument_http_handlers": True},
        "admin": {"enabled": True},
        "health": {"enabled": True},
    }
    server = await asyncio.to_thread(private_server, METRICS | config)
    async with aiohttp.ClientSession() as session:
        for path in ("/some/deep/path", "/health", "/api/publish", "/connection/websocket"):
            async with session.get(f"{server.url}{path}"):
                pass
    async with connected(server):
        page = await scrape(server)
    metric = "node_incoming_http_requests_total"
    assert page.value(metric, path="/", method="GET", status="404") == 1
    assert page.value(metric, path="/health", method="GET", status="200") == 1
    assert page.value(metric, path="/api/publish", method="GET", status="405") == 1
    assert page.value(metric, path="/connection/websocket", method="GET", status="101") == 1
    assert "deep" not in page.text


async def test_recoveries_are_counted_by_their_outcome(metered: Server, name: str) -> None:  # 12
    channel = f"kept:{name}"
    for number in range(2):
        await metered.api("publish", {"channel": channel, "data": number})
    before = await scrape(metered)
    async with connected(metered) as client:
        epoch = (await client.subscribe(channel))["epoch"]
        await client.call(unsubscribe={"channel": channel})
        await client.subscribe(channel, recover=True, epoch=epoch)
        await client.call(unsubscribe={"channel": channel})
        await client.subscribe(channel, recover=True, epoch="none", offset=1)
    page = await scrape(metered)

    def grown(metric: str, **labels: str) -> float:
        return (page.value(metric, **labels) or 0) - (before.value(metric, **labels) or 0)

    assert grown("client_recover", recovered="yes", has_recovered_publications="yes") == 1
    assert grown("client_recover", recovered="no", has_recovered_publications="no") == 1
    assert grown("client_recovered_publications_count") == 1
    assert grown("client_recovered_publications_sum") == 2


async def test_refused_connections_are_counted(private_server: StartServer) -> None:  # 13
    limited = METRICS | {"client": METRICS["client"] | {"connection_limit": 1}}
    server = await asyncio.to_thread(private_server, limited)
    async with connected(server):
        with pytest.raises(websockets.InvalidStatus) as refusal:
            async with connected(server):
                pass
        assert refusal.value.response.status_code == 503
        assert (await scrape(server)).value("node_client_connection_limit") == 1


async def test_disconnects_and_close_frames_are_counted_by_code(metered: Server) -> None:
    before = await scrape(metered)
    async with connected(metered) as client:
        await client.send_frame("{")
        await client.closed()
    page = await scrape(metered)
    for metric in ("client_num_server_disconnects", "transport_outgoing_close_count"):
        assert (page.value(metric, code="3501") or 0) - (before.value(metric, code="3501") or 0) == 1


async def test_what_a_filter_keeps_back_is_counted(metered: Server, name: str) -> None:
    channel = f"kept:{name}"
    before = await scrape(metered)
    async with connected(metered) as client:
        await client.subscribe(channel, tf={"key": "k", "cmp": "eq", "val": "1"})
        for value in ("2", "1"):
            await metered.api("publish", {"channel": channel, "data": {}, "tags": {"k": value}})
        await client.publication()
    page = await scrape(metered)
    metric = "node_tags_filter_dropped_publications"
    assert (page.value(metric) or 0) - (before.value(metric) or 0) == 1


async def test_info_tells_how_much_metrics_have_grown(private_server: StartServer) -> None:  # 16
    server = await asyncio.to_thread(private_server, METRICS | {"node": {"info_metrics_aggregate_interval": "1s"}})
    async with connected(server):
        pass
    key = "centrifugo.client.command_duration_seconds.count.method.connect"
    metrics: dict[str, Any] = {}

    async def has_grown() -> bool:
        metrics.update((await server.api("info"))["nodes"][0]["metrics"])
        return bool(metrics["items"][key])

    await until(has_grown)
    assert metrics["interval"] == 1
    assert not any("_histogram" in item for item in metrics["items"])


async def test_the_page_is_elsewhere_where_wanted_and_compressed_when_accepted(
    private_server: StartServer,
) -> None:  # 4
    config = {"prometheus": {"enabled": True, "handler_prefix": "/m/"}}
    server = await asyncio.to_thread(private_server, config)
    headers = {"Accept-Encoding": "gzip"}
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        async with session.get(f"{server.url}/metrics") as response:
            assert response.status == 404
        async with session.get(f"{server.url}/m", headers=headers) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            assert b"centrifugo_node_build" in gzip.decompress(await response.read())


PRO: dict[str, Any] = {
    "prometheus": {
        "enabled": True,
        "channel_namespace_resolution": True,
        "additional_client_names": ["robot"],
        "client_labels": ["plan"],
        "expose_transport_accept_protocol": True,
    },
    "client": {"token": {"labels_from_claim": [{"key": "plan", "value": "plan"}]}},
    "channel": METRICS["channel"],
}


async def test_namespaces_names_and_labels_can_be_dimensions(private_server: StartServer, name: str) -> None:
    server = await asyncio.to_thread(private_server, PRO)
    async with opened(server) as client:
        await client.connect(token=token("ann", plan="gold"), name="robot", version="1")
        await client.subscribe(f"kept:{name}")
        await server.api("publish", {"channel": f"kept:{name}", "data": {}})
        await client.publication()
        page = await scrape(server)
    labels = {"channel_namespace": "kept", "app_plan": "gold"}
    assert page.value("transport_messages_sent", frame_type="push_publication", **labels) == 1
    assert page.value("transport_messages_sent", frame_type="subscribe", **labels) == 1
    assert page.value("client_connections_inflight", client_name="robot", app_plan="gold", accept_protocol="h1") == 1
    assert page.value("client_subscriptions_inflight", client_name="robot", **labels) == 1
    assert page.value("node_messages_sent_count", type="publication", channel_namespace="kept") == 1
