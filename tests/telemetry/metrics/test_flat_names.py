"""Flat metric names, deltas and Graphite lines (10 C, E)."""

import asyncio

import pytest

from fanjet.telemetry.metrics import Registry
from fanjet.telemetry.metrics.flat_names import DeltaReader
from fanjet.telemetry.metrics.graphite import GraphiteExporter, path_component


@pytest.fixture
def registry() -> Registry:
    return Registry()


def values(deltas: DeltaReader) -> dict[str, float]:
    return {item.dotted: item.value for item in deltas.read()}


def exporter(registry: Registry, **over) -> GraphiteExporter:
    settings = {"host": "127.0.0.1", "port": 1, "prefix": "cent.", "node": "höst.a", "interval": 0.01, "tags": False}
    return GraphiteExporter(registry, **(settings | over))


def test_counters_are_read_as_deltas_and_gauges_as_values(registry):
    counter = registry.counter("node_things", "Things", "kind", "channel_namespace").cell("a", "")
    gauge = registry.gauge("map_broker_lag", "Lag").cell(shown=True)
    deltas = DeltaReader(registry)
    counter.value, gauge.value = 5, 7
    assert values(deltas) == {"centrifugo.node.things.kind.a": 5, "centrifugo.map.broker_lag": 7}
    counter.value = 8
    assert values(deltas) == {"centrifugo.node.things.kind.a": 3, "centrifugo.map.broker_lag": 7}


def test_a_summary_has_sum_count_and_quantiles_and_its_histogram_is_omitted(registry):
    registry.timing("api_command_duration_seconds", "Time", "method", bounds=(1.0,)).cell("info").observe(0.5)
    found = values(DeltaReader(registry))
    base = "centrifugo.api.command_duration_seconds"
    assert found[f"{base}.count.method.info"] == 1
    assert found[f"{base}.sum.method.info"] == 0.5
    assert {name for name in found if "quantile" in name} == {
        f"{base}.quantile.{rank}.method.info" for rank in ("50", "99", "999")
    }
    assert len(found) == 5


def test_quantiles_without_observations_are_omitted(registry):
    registry.timing("api_seconds", "Time", bounds=(1.0,)).cell(shown=True)
    assert values(DeltaReader(registry)) == {"centrifugo.api.seconds.sum": 0, "centrifugo.api.seconds.count": 0}


def test_native_histograms_keep_count_and_sum():
    registry = Registry(native_histograms=True)
    registry.timing("api_seconds", "Time", bounds=(1.0,)).cell().observe(2.0)
    assert values(DeltaReader(registry)) == {"centrifugo.api.seconds.sum": 2.0, "centrifugo.api.seconds.count": 1}


def test_metrics_outside_the_namespace_are_omitted(registry):
    registry.own_histogram("lag", "Lag", (1.0,))
    registry.add_reader("process_cpu_seconds_total", "CPU", "counter", list)
    assert values(DeltaReader(registry)) == {}


def test_lines_of_graphite(registry):
    registry.counter("node_things", "Things", "kind").cell("a").value = 5
    registry.gauge("node_num_clients", "Clients").cell(shown=True)
    assert exporter(registry).lines(9).decode().splitlines() == [
        "cent.h_st_a.centrifugo.node.num_clients 0.000000 9",
        "cent.h_st_a.centrifugo.node.things.kind.a 5 9",
    ]


def test_tagged_lines_of_graphite(registry):
    registry.counter("node_things", "Things", "kind", "a").cell("x", "y").value = 5
    assert exporter(registry, tags=True).lines(9) == b"cent.h_st_a.centrifugo.node.things;a=y;kind=x 5 9\n"


def test_a_name_is_one_component_of_a_path():
    assert path_component("приvет.a") == "___v___a"


async def test_each_interval_opens_its_own_connection(registry):
    registry.gauge("node_num_clients", "Clients").cell(shown=True)
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.put_nowait(await reader.read())
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as graphite:
        sender = exporter(registry, port=graphite.sockets[0].getsockname()[1])
        sender.start()
        for _ in range(2):
            assert b"centrifugo.node.num_clients 0.000000 " in await asyncio.wait_for(received.get(), 5)
        await sender.stop()


async def test_an_unreachable_graphite_is_ignored(registry):
    sender = exporter(registry)
    sender.start()
    await asyncio.sleep(0.05)
    await sender.stop()
