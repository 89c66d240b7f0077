"""The table and the JSON of results."""

import math

from fanjet.bench.measurement.figures import Figure, Unit
from fanjet.bench.report import as_json, table
from fanjet.bench.runner import Outcome, Result
from fanjet.bench.scenarios import KERNEL, SCENARIOS

FANOUT = SCENARIOS[0]


def cpu(value: float) -> Figure:
    return Figure("CPU per delivered message", value, Unit.MICROSECONDS)


def cells(results: list[Result]) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table(results).splitlines()]


def kernel(cost: float = 5.0) -> Result:
    return Result(KERNEL, [Outcome([[Figure("CPU per send()", cost, Unit.MICROSECONDS)]])])


def test_two_servers_are_compared_by_the_medians_of_their_rounds() -> None:
    ours, peers = Outcome([[cpu(6.0)], [cpu(90.0)], [cpu(5.0)]]), Outcome([[cpu(12.0)], [cpu(12.0)], [cpu(12.0)]])
    lines = cells([kernel(), Result(FANOUT, [ours, peers])])
    assert lines[0] == ["scenario", "figure", "server", "peer", "ratio", "× send()"]
    assert lines[-1] == ["fanout", "CPU per delivered message", "6.00 µs", "12.0 µs", "0.50", "1.2"]


def test_one_server_alone_has_no_ratio() -> None:
    lines = cells([kernel(), Result(FANOUT, [Outcome([[cpu(10.0)]])])])
    assert lines[-1] == ["fanout", "CPU per delivered message", "10.0 µs", "2.0"]


def test_a_server_that_failed_is_named_with_the_reason_and_the_other_keeps_its_figures() -> None:
    lines = cells([kernel(), Result(FANOUT, [Outcome(error="closed:\nin the\nmiddle"), Outcome([[cpu(12.0)]])])])
    assert lines[-2][:2] == ["fanout", "server failed: closed: middle"]
    assert lines[-1] == ["fanout", "CPU per delivered message", "–", "12.0 µs", "–", "–"]


def test_a_missing_feature_is_not_a_failure() -> None:
    lines = cells([kernel(), Result(FANOUT, [Outcome(unavailable="no HTTP/3"), Outcome([[cpu(12.0)]])])])
    assert lines[-2][:2] == ["fanout", "server: not available: no HTTP/3"]
    assert lines[-1] == ["fanout", "CPU per delivered message", "–", "12.0 µs", "–", "–"]


def test_units_are_readable() -> None:
    figures = [
        Figure("rate", 3_300_000.0, Unit.PER_SECOND),
        Figure("slow rate", 12.0, Unit.PER_SECOND),
        Figure("memory", 3100.0, Unit.BYTES),
        Figure("latency", 0.4, Unit.MILLISECONDS),
        Figure("nothing", math.nan, Unit.MILLISECONDS),
        Figure("closed", 20.0, Unit.COUNT),
    ]
    values = [line[2] for line in cells([Result(FANOUT, [Outcome([figures])])])[2:]]
    assert values == ["3.3M/s", "12/s", "3.1 KB", "0.40 ms", "–", "20"]


def test_json_keeps_every_round() -> None:
    document = as_json([Result(FANOUT, [Outcome([[cpu(6.0)], [cpu(7.0)]])])])
    [outcome] = document["results"][0]["outcomes"]
    assert outcome["side"] == "server"
    assert [figures[0]["value"] for figures in outcome["rounds"]] == [6.0, 7.0]
