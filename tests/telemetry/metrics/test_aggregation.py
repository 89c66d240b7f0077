"""Merging the metrics of several processes."""

import pytest

from fanjet.telemetry.metrics import Registry
from fanjet.telemetry.metrics.aggregation import (
    EMPTY,
    decode,
    encode,
    export_metrics,
    merge,
    read_metrics,
    retained_metrics,
)

BOUNDS = (0.1, 1.0)


def part(worker=1, fill=lambda _: None):
    """The exported metrics of a worker whose registry was filled by `fill`."""
    registry = Registry()
    fill(registry)
    return decode(export_metrics(registry, worker))


def values(told_metrics, *, labels=False):
    """Samples by full name, optionally with labels."""
    return {
        (metric.name + sample.suffix, *sample.labels) if labels or sample.labels else metric.name + sample.suffix: (
            sample.value
        )
        for metric in told_metrics
        for sample in metric.samples
    }


def test_counters_are_added_and_the_longest_silence_is_kept():
    parts = []
    for worker, silence in enumerate((3.0, 40.0, 5.0)):

        def fill(registry, silence=silence):
            registry.counter("made", "What was made").cell(shown=True).value = 2
            registry.gauge("engine_silence_seconds", "Silence").cell(shown=True).value = silence

        parts.append(part(worker, fill))
    assert values(merge(parts).metrics) == {"centrifugo_made": 6, "centrifugo_engine_silence_seconds": 40.0}


def test_samples_are_added_by_labels():
    def fill(*counts):
        def filling(registry):
            family = registry.counter("made", "What was made", "kind")
            for kind, count in counts:
                family.cell(kind).value = count

        return filling

    both = merge([part(1, fill(("a", 1), ("b", 2))), part(2, fill(("b", 3), ("c", 4)))])
    name = "centrifugo_made"
    assert values(both.metrics) == {
        (name, ("kind", "a")): 1,
        (name, ("kind", "b")): 5,
        (name, ("kind", "c")): 4,
    }


def test_gauges_are_added_unless_equal_in_all_processes():
    def fill(registry):
        registry.gauge("node_num_clients", "Clients").cell(shown=True).value = 7
        registry.gauge("node_num_nodes", "Nodes").cell(shown=True).value = 2

    assert values(merge([part(1, fill), part(2, fill)]).metrics) == {
        "centrifugo_node_num_clients": 14,
        "centrifugo_node_num_nodes": 2,
    }


def test_process_metrics_are_labelled_not_added():
    def fill(registry):
        registry.add_reader("process_open_fds", "Files", "gauge", lambda: [_sample(30)])

    assert values(merge([part(1, fill), part(2, fill)]).metrics) == {
        ("process_open_fds", ("worker", "1")): 30,
        ("process_open_fds", ("worker", "2")): 30,
    }


def _sample(value):
    registry = Registry()
    registry.gauge("x", "x").cell(shown=True).value = value
    (metric,) = registry.read()
    return metric.samples[0]


def test_histograms_are_added_by_bucket():
    def fill(*seconds):
        def filling(registry):
            cell = registry.histogram("took", "How long", bounds=BOUNDS).cell(shown=True)
            for each in seconds:
                cell.observe(each)

        return filling

    (both,) = merge([part(1, fill(0.05, 0.5)), part(2, fill(0.5, 5.0))]).metrics
    (distribution,) = both.distributions()
    assert distribution.parts == [(0.1, 1), (1.0, 3), (float("inf"), 4)]
    assert distribution.total == pytest.approx(6.05)
    assert distribution.number == 4


def test_quantiles_are_those_of_all_observations():
    def fill(seconds, times):
        def filling(registry):
            cell = registry.timing("took", "How long", "op", bounds=BOUNDS).cell("x")
            for _ in range(times):
                cell.observe(seconds)

        return filling

    both = list(read_metrics(merge([part(1, fill(0.01, 90)), part(2, fill(1.0, 10))])))
    found = values(both)
    name, op = "centrifugo_took", ("op", "x")
    assert found[name, op, ("quantile", "0.5")] == pytest.approx(0.01, rel=0.1)
    assert found[name, op, ("quantile", "0.99")] == pytest.approx(1.0, rel=0.1)
    assert found[name + "_count", op] == 100
    assert found[name + "_sum", op] == pytest.approx(10.9)
    summary = next(metric for metric in both if metric.kind == "summary")
    assert [sample.suffix for sample in summary.samples] == ["", "", "", "_sum", "_count"]


def test_counters_of_an_ended_process_are_retained():
    def fill(registry):
        registry.counter("made", "What was made").cell(shown=True).value = 2
        registry.gauge("node_num_clients", "Clients").cell(shown=True).value = 7
        registry.timing("took", "How long", bounds=BOUNDS).cell().observe(0.5)
        registry.add_reader("process_cpu_seconds_total", "CPU", "counter", lambda: [_sample(30)])

    alive = part(1, fill)
    before = values(read_metrics(merge([EMPTY, alive])))
    gone = decode(encode(retained_metrics(alive)))
    after = values(read_metrics(merge([gone, EMPTY])))
    assert {name for name in after if after[name] == before[name]} == {
        "centrifugo_made",
        "centrifugo_took_count",
        "centrifugo_took_sum",
        "centrifugo_took_histogram_count",
        "centrifugo_took_histogram_sum",
        ("centrifugo_took_histogram_bucket", ("le", "0.1")),
        ("centrifugo_took_histogram_bucket", ("le", "1")),
        ("centrifugo_took_histogram_bucket", ("le", "+Inf")),
    }
    assert not {"centrifugo_node_num_clients", "process_cpu_seconds_total"} & after.keys()


def test_a_process_without_metrics_adds_nothing():
    assert decode(b"") == EMPTY
    assert merge([]) == merge([EMPTY, decode(b"")]) == EMPTY
